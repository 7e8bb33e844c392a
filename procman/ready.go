package procman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	probeFirst = 10 * time.Millisecond
	probeMax   = 50 * time.Millisecond
	askedMax   = 250 * time.Millisecond // a server that recovers its data logs each question
	// lookAfter is when a web process that does not listen where it should is looked at more closely.
	lookAfter = 2 * time.Second
	// maxHealthBody is how much of an answer is read: pages that say how the app is are short.
	maxHealthBody = 64 << 10
)

// probe waits until one instance is ready.
type probe struct {
	port    int
	pid     int
	host    string // for the Host header: apps refuse names that they do not know
	health  Health
	timeout time.Duration
	done    <-chan struct{}                                                // closed when the process has ended
	note    func(string)                                                   // told once what is odd while it still waits
	check   func(ctx context.Context) (code int, output string, err error) // the health command; nil without one
	dial    func(context.Context) (net.Conn, error)                        // to the instance's port; nil: it is the machine's
	mute    bool                                                           // it need not listen
}

// errEnded is returned where the process ended first; the caller knows how.
var errEnded = errors.New("process ended")

// notReady is why a probe gave up.
type notReady struct {
	reason Reason
	detail string
}

func (e *notReady) Error() string { return e.detail }

// wait waits until the instance is ready: where it is asked, until it answers well.
func (p *probe) wait(ctx context.Context, asked bool) error {
	if p.health.Delay > 0 {
		delay := *p
		delay.health.Interval = min(p.health.Delay, p.timeout)
		if err := delay.steady(ctx); err != nil {
			return err
		}
		p.timeout -= p.health.Delay
	}
	if asked {
		return p.web(ctx)
	}
	return p.steady(ctx)
}

// steady waits until the process has been up for the health interval.
func (p *probe) steady(ctx context.Context) error {
	t := time.NewTimer(p.health.Interval)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.done:
		return errEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if _, err := os.Stat("/proc/" + strconv.Itoa(p.pid)); err == nil {
		return nil
	}
	if err := await(ctx, p.done); err != nil { // it has ended, and its shim is writing that down
		return err
	}
	return errEnded
}

// asked waits until ask says that the process is ready. At the timeout it returns a *notReady.
func (p *probe) asked(ctx context.Context, ask func(context.Context) error) error {
	deadline := time.NewTimer(p.timeout)
	defer deadline.Stop()
	asking, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	for wait := probeFirst; ; wait = min(wait*3/2, askedMax) {
		one, done := context.WithTimeout(asking, p.health.Timeout)
		err := ask(one)
		done()
		if err == nil {
			return nil
		}
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-p.done:
			pause.Stop()
			return errEnded
		case <-ctx.Done():
			pause.Stop()
			return context.Cause(ctx)
		case <-deadline.C:
			pause.Stop()
			return &notReady{Unhealthy, fmt.Sprintf("is not ready after %v: %v", p.timeout, err)}
		}
	}
}

// web waits until the instance accepts on its port and answers well. At the timeout it returns a *notReady.
func (p *probe) web(ctx context.Context) error {
	begun := time.Now()
	deadline := time.NewTimer(p.timeout)
	defer deadline.Stop()
	asking, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	client := p.client()
	last := &notReady{reason: NeverListen}
	looked, unhealthy := false, 0
	for wait := probeFirst; ; wait = min(wait*3/2, probeMax) {
		last = p.once(asking, client, last)
		if last == nil {
			return nil
		}
		rest := wait
		if last.reason == Unhealthy && p.health.Retries > 0 {
			if unhealthy++; unhealthy >= p.health.Retries {
				return last
			}
			rest = max(wait, p.health.Wait)
		}
		if !looked && last.reason == NeverListen && time.Since(begun) > lookAfter {
			looked = true
			if other := listening(p.pid); len(other) > 0 {
				p.note(fmt.Sprintf("listens on %s, not on PORT=%d; waiting", portList(other), p.port))
			}
		}
		pause := time.NewTimer(rest)
		select {
		case <-pause.C:
		case <-p.done:
			pause.Stop()
			return errEnded
		case <-ctx.Done():
			pause.Stop()
			return context.Cause(ctx)
		case <-deadline.C:
			pause.Stop()
			return p.verdict(last)
		}
	}
}

// once asks once. It returns nil where the instance is ready, else why it is not.
func (p *probe) once(ctx context.Context, client *http.Client, last *notReady) *notReady {
	if p.mute {
		return p.command(ctx)
	}
	addr := net.JoinHostPort(Loopback, strconv.Itoa(p.port))
	conn, err := p.connect(ctx, "tcp", addr)
	if err != nil {
		if last.reason == Unhealthy {
			return last // it listened before: what it said is worth more
		}
		return &notReady{reason: NeverListen}
	}
	conn.Close() //nolint:errcheck // nothing was written
	if mine, known := listensOn(p.pid, p.port); known && !mine {
		return &notReady{reason: PortTaken}
	}
	if p.check != nil {
		return p.command(ctx)
	}
	if p.health.Listening {
		return nil
	}
	path := orElse(p.health.Path, "/")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return &notReady{Unhealthy, fmt.Sprintf("cannot be asked for its health path %q", path)}
	}
	req.Host = orElse(p.host, addr)
	for k, v := range p.health.Headers {
		req.Header.Set(k, v)
	}
	req.Header.Set("User-Agent", "hop3-health")
	req.Header.Set("X-Forwarded-Proto", "https")
	req.Header.Set("X-Forwarded-For", Loopback)
	res, err := client.Do(req)
	if ctx.Err() != nil && last.reason == Unhealthy {
		return last // the time is over: what it said before counts
	}
	if err != nil {
		return &notReady{Unhealthy, fmt.Sprintf("accepts on port %d and does not answer by HTTP: %v", p.port, bare(err))}
	}
	defer res.Body.Close() //nolint:errcheck // read only
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxHealthBody))
	if res.StatusCode >= 500 || p.health.Path != "" && res.StatusCode >= 400 {
		return &notReady{Unhealthy, fmt.Sprintf("answers %s with status %d", path, res.StatusCode)}
	}
	if !strings.Contains(string(body), p.health.Content) {
		return &notReady{Unhealthy, fmt.Sprintf("answers %s without %q in it", path, p.health.Content)}
	}
	return nil
}

// command asks the health command.
func (p *probe) command(ctx context.Context) *notReady {
	ctx, cancel := context.WithTimeout(ctx, p.health.Timeout)
	defer cancel()
	code, output, err := p.check(ctx)
	switch {
	case ctx.Err() != nil:
		return &notReady{Unhealthy, fmt.Sprintf("the health command %q does not end within %v", p.health.Command, p.health.Timeout)}
	case err != nil:
		return &notReady{Unhealthy, fmt.Sprintf("the health command %q cannot be run: %v", p.health.Command, err)}
	case code != 0:
		return &notReady{Unhealthy, strings.TrimSpace(fmt.Sprintf("the health command %q ends with status %d: %s", p.health.Command, code, output))}
	}
	return nil
}

// verdict is what is said at the timeout.
func (p *probe) verdict(last *notReady) *notReady {
	within := fmt.Sprintf("within %v", p.timeout)
	switch last.reason {
	case Unhealthy:
		return &notReady{Unhealthy, last.detail + ", still after " + p.timeout.String()}
	case PortTaken:
		return &notReady{PortTaken, fmt.Sprintf("did not listen on port %d %s; another process does", p.port, within)}
	}
	if other := listening(p.pid); len(other) > 0 {
		return &notReady{WrongPort, fmt.Sprintf("listens on %s, not on PORT=%d", portList(other), p.port)}
	}
	return &notReady{NeverListen, fmt.Sprintf("did not listen on PORT=%d %s", p.port, within)}
}

func (p *probe) client() *http.Client {
	return &http.Client{
		Timeout:       p.health.Timeout,
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true, DialContext: p.connect},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// connect connects to the instance, wherever that is.
func (p *probe) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.health.Timeout)
	defer cancel()
	if p.dial != nil {
		return p.dial(ctx)
	}
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}

// bare returns err without the URL that net/http puts around it.
func bare(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}
