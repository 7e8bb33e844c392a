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
	classes  [6]atomic.Uint64 // by the first digit of the status
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
	Requests uint64    // finished
	Errors   uint64    // of those, answered with 5xx
	Classes  [6]uint64 // of those, by the first digit of the status; 0 for none
	InFlight int64     // begun and not finished, those that are held included
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
	if class := status / 100; class < len(a.classes) {
		a.classes[class].Add(1)
	}
	i := 0
	for i < len(latencyBounds) && took > latencyBounds[i] {
		i++
	}
	a.buckets[i].Add(1)
}

func (a *app) snapshot() Stats {
	s := Stats{
		Requests: a.requests.Load(), Errors: a.classes[5].Load(), InFlight: a.inflight.Load(),
		Total: time.Duration(a.nanos.Load()), Latency: make([]Bucket, len(a.buckets)),
	}
	for i := range a.classes {
		s.Classes[i] = a.classes[i].Load()
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
	b := appendRequest((*buf)[:0], x.req.Method, x.req.RequestURI, x.host)
	b = appendOutcome(b, x.status, x.bytes, took)
	b = appendField(b, " request_id=", x.id)
	b = appendField(b, " fwd=", x.forwarded(x.router.trusts(x.req.RemoteAddr)).addr)
	*buf = appendWay(b, x.backend, x.note)
	x.router.opts.AccessLog(x.app.name, *buf)
	lines.Put(buf)
}

// logAccess is that of exchange, for the fast path. The error is of relaying, nil for none.
func (f *fastConn) logAccess(rt *route, b *Backend, sent int64, took time.Duration, err error) {
	note := ""
	if err != nil {
		note = err.Error()
	}
	buf := lines.Get().(*[]byte)
	l := appendRequest((*buf)[:0], f.req.method, f.req.target, f.req.name)
	l = appendOutcome(l, f.res.status, sent, took)
	l = appendField(l, " request_id=", f.req.id)
	l = appendField(l, " fwd=", f.addr)
	*buf = appendWay(l, b.name, note)
	f.router.opts.AccessLog(rt.App, *buf)
	lines.Put(buf)
}

func appendRequest[S string | []byte](b []byte, method string, target, host S) []byte {
	b = appendField(b, "method=", method)
	b = appendQuoted(append(b, " path="...), target)
	return appendField(b, " host=", host)
}

func appendOutcome(b []byte, status int, sent int64, took time.Duration) []byte {
	b = strconv.AppendInt(append(b, " status="...), int64(status), 10)
	b = strconv.AppendInt(append(b, " bytes="...), sent, 10)
	return strconv.AppendFloat(append(b, " ms="...), float64(took.Microseconds())/1000, 'f', -1, 64)
}

func appendWay(b []byte, backend, note string) []byte {
	if backend != "" {
		b = appendField(b, " backend=", backend)
	}
	if note != "" {
		b = appendField(b, " error=", note)
	}
	return append(b, '\n')
}

// appendField appends a value, quoted when it has more than the characters of names and addresses.
func appendField[S string | []byte](b []byte, key string, v S) []byte {
	b = append(b, key...)
	for i := range len(v) {
		switch c := v[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == ':', c == '[', c == ']':
		default:
			return appendQuoted(b, v)
		}
	}
	return append(b, v...)
}

// appendQuoted is strconv.AppendQuote, which it spares where nothing is to be escaped.
func appendQuoted[S string | []byte](b []byte, v S) []byte {
	for i := range len(v) {
		if c := v[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return strconv.AppendQuote(b, string(v))
		}
	}
	return append(append(append(b, '"'), v...), '"')
}
