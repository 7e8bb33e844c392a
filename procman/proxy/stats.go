package proxy

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// An app is what the router keeps of an app over all its routes.
type app struct {
	name string
	turn atomic.Uint64 // breaks ties between backends
	held atomic.Int64

	requests atomic.Uint64
	errors   atomic.Uint64
	inflight atomic.Int64
	nanos    atomic.Int64
	buckets  [len(latencyBounds) + 1]atomic.Uint64
}

// latencyBounds are the upper bounds of the histogram's buckets.
var latencyBounds = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
	25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// Stats is a snapshot of an app's counters.
type Stats struct {
	Requests uint64 // finished
	Errors   uint64 // of those, answered with 5xx
	InFlight int64  // begun and not finished, those that are held included
	Latency  []Bucket
	Total    time.Duration // sum of all latencies
}

// A Bucket counts the requests that took no longer than Max and longer than the
// bucket before. The last one's Max is 0: all the rest.
type Bucket struct {
	Max   time.Duration
	Count uint64
}

func (a *app) begin() { a.inflight.Add(1) }

func (a *app) end(status int, took time.Duration) {
	a.inflight.Add(-1)
	a.requests.Add(1)
	a.nanos.Add(int64(took))
	if status >= 500 {
		a.errors.Add(1)
	}
	i := 0
	for i < len(latencyBounds) && took > latencyBounds[i] {
		i++
	}
	a.buckets[i].Add(1)
}

func (a *app) snapshot() Stats {
	s := Stats{
		Requests: a.requests.Load(), Errors: a.errors.Load(), InFlight: a.inflight.Load(),
		Total: time.Duration(a.nanos.Load()), Latency: make([]Bucket, len(a.buckets)),
	}
	for i := range a.buckets {
		if i < len(latencyBounds) {
			s.Latency[i].Max = latencyBounds[i]
		}
		s.Latency[i].Count = a.buckets[i].Load()
	}
	return s
}

// lines are the buffers of access log lines.
var lines = sync.Pool{New: func() any { return new([]byte) }}

// logAccess hands one line to the access log.
func (x *exchange) logAccess(took time.Duration) {
	buf := lines.Get().(*[]byte)
	*buf = x.appendLine((*buf)[:0], took)
	x.router.opts.AccessLog(x.app.name, *buf)
	lines.Put(buf)
}

func (x *exchange) appendLine(b []byte, took time.Duration) []byte {
	b = appendField(b, "method=", x.req.Method)
	b = append(b, ` path=`...)
	b = strconv.AppendQuote(b, x.req.RequestURI)
	b = appendField(b, " host=", x.host)
	b = strconv.AppendInt(append(b, " status="...), int64(x.status), 10)
	b = strconv.AppendInt(append(b, " bytes="...), x.bytes, 10)
	b = strconv.AppendFloat(append(b, " ms="...), float64(took.Microseconds())/1000, 'f', -1, 64)
	b = appendField(b, " request_id=", x.id)
	b = appendField(b, " fwd=", x.forwarded(x.router.trusts(x.req.RemoteAddr)).addr)
	if x.backend != "" {
		b = appendField(b, " backend=", x.backend)
	}
	if x.note != "" {
		b = appendField(b, " error=", x.note)
	}
	return append(b, '\n')
}

// appendField appends a value, quoted when it has more than the characters of names and addresses.
func appendField(b []byte, key, v string) []byte {
	b = append(b, key...)
	for _, c := range []byte(v) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == ':', c == '[', c == ']':
		default:
			return strconv.AppendQuote(b, v)
		}
	}
	return append(b, v...)
}
