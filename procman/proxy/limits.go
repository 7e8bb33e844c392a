package proxy

import "time"

// Limits bounds what a client or an app can hold of the router. A zero field
// means the default named beside it. There is no limit on the duration of a
// request or response as a whole: streams, uploads and downloads take as long
// as they move.
type Limits struct {
	// HeaderBytes bounds a request's head (64 KiB: four times nginx's, room
	// for fat cookies; one head is at most that much memory).
	HeaderBytes int
	// ReadHeader is the time to send a request's head (10 s: slowloris).
	ReadHeader time.Duration
	// Idle is how long a keep-alive connection waits for its next request (120 s).
	Idle time.Duration
	// BodyIdle is how long a request's body may stand still (60 s).
	BodyIdle time.Duration
	// Dial is the time to connect to a backend (5 s: a full listen queue drops
	// the first attempt, and the kernel tries again after 1 s and 3 s).
	Dial time.Duration
	// ResponseHeader is how long an app may take to begin its answer once it
	// has the request (60 s, then 504). It is exact to a half, upwards.
	ResponseHeader time.Duration
	// Continue is how long an app may think about "Expect: 100-continue"
	// before the body is sent anyway (1 s, as net/http does).
	Continue time.Duration
	// UpstreamIdle is how long an unused connection to a backend is kept
	// (1.5 s: below the 2 s of gunicorn and the 5 s of Node and uvicorn, so
	// that the app does not close it just when a POST is sent).
	UpstreamIdle time.Duration
	// ShutdownGrace is how long Shutdown leaves idle connections open, so that
	// a request that is on its way still gets an answer, with Connection: close (1 s).
	ShutdownGrace time.Duration
	// ConnsPerAddress caps the connections of one address, an IPv6 /64 being
	// one (2,048: a whole office or a test with a thousand websockets, not a
	// flood). Trusted proxies are exempt. Negative means no cap.
	ConnsPerAddress int
}

const (
	// maxStreams is HTTP/2's number of concurrent requests per connection; 100 is what RFC 9113 recommends as the least.
	maxStreams = 100
	// maxHeld is the number of requests of one app that wait in a hold: each costs a goroutine and a connection.
	maxHeld = 1024
	// maxIdleConns is the number of unused connections kept per backend; more than any app serves at once.
	maxIdleConns = 256
	// maxResponseHead bounds the head of an app's response, all 1xx heads before it included.
	maxResponseHead = 256 << 10
	// maxTrailer bounds the trailer section of an app's response.
	maxTrailer = 16 << 10
	// inlineBody is the largest request body that is sent before the response is looked at. It must
	// fit into the socket buffers of any app together with the head, else two writers could wait for each other.
	inlineBody = 32 << 10
	// connBuffer is the size of the buffers of a connection to a backend: a usual head and a small body in one system call.
	connBuffer = 8 << 10
	// copyBuffer is the size of the pooled buffers for bodies that cannot be spliced.
	copyBuffer = 32 << 10
	// senderGrace is how long a request's body may go on after the response is complete before it is cut off.
	senderGrace = 500 * time.Millisecond
	// suspectFor is how long a backend that refused a connection is only used if there is no other.
	suspectFor = time.Second
)

func (l Limits) withDefaults() Limits {
	durations := []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&l.ReadHeader, 10 * time.Second},
		{&l.Idle, 120 * time.Second},
		{&l.BodyIdle, 60 * time.Second},
		{&l.Dial, 5 * time.Second},
		{&l.ResponseHeader, 60 * time.Second},
		{&l.Continue, time.Second},
		{&l.UpstreamIdle, 1500 * time.Millisecond},
		{&l.ShutdownGrace, time.Second},
	}
	for _, d := range durations {
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	if l.HeaderBytes == 0 {
		l.HeaderBytes = 64 << 10
	}
	if l.ConnsPerAddress == 0 {
		l.ConnsPerAddress = 2048
	}
	return l
}
