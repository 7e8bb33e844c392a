package packages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

const (
	// headerTimeout bounds the wait for an answer, stallTimeout the wait for
	// more of it: a mirror that is slow is used, one that is dead is not.
	headerTimeout = 30 * time.Second
	stallTimeout  = 30 * time.Second
	// tries is how often a download is begun before its server counts as
	// unreachable.
	tries = 3
	// maxIndex bounds what is read into memory; Debian's largest index
	// has about 10 MB packed.
	maxIndex = 128 << 20
)

// web fetches files over HTTP, with retries.
type web struct{ client *http.Client }

func newWeb() *web {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = headerTimeout
	t.MaxIdleConnsPerHost = 8
	return &web{client: &http.Client{Transport: t}}
}

func (w *web) close() { w.client.CloseIdleConnections() }

// errGone is a 404 or 410; it is never tried again.
var errGone = errors.New("it is not there any more")

// get reads a small file. Missing files are errGone.
func (w *web) get(ctx context.Context, addr string, header http.Header) ([]byte, error) {
	var buf bytes.Buffer
	err := w.retry(ctx, addr, func(ctx context.Context) error {
		buf.Reset()
		return w.once(ctx, addr, header, &limitedWriter{w: &buf, left: maxIndex})
	})
	return buf.Bytes(), err
}

// save streams a file to name while checking it. A file that is not the wanted
// one is errWrong and not left behind. Only a toolchain that is checked
// otherwise has no hash yet.
func (w *web) save(ctx context.Context, addr, name string, want file, read func(int)) error {
	err := w.retry(ctx, addr, func(ctx context.Context) error { return w.saveOnce(ctx, addr, name, want, read) })
	if err != nil {
		_ = os.Remove(name) // may not exist; the error that matters is err
	}
	return err
}

// errWrong is a file whose hash is not the pinned one; it is never tried again.
var errWrong = errors.New("it is not the file that was pinned")

func (w *web) saveOnce(ctx context.Context, addr, name string, want file, read func(int)) (err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return &localError{err}
	}
	got := 0
	count := func(n int) { got += n; read(n) }
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = &localError{cerr}
		}
		if err != nil {
			read(-got)
		}
	}()
	sum := newHash(want.algo)
	if err := w.once(ctx, addr, nil, &checkedWriter{file: f, sum: sum, read: count}); err != nil {
		return err
	}
	if want.hex != "" && hex.EncodeToString(sum.Sum(nil)) != want.hex {
		return errWrong
	}
	return nil
}

func newHash(algo string) hash.Hash {
	if algo == "sha512" {
		return sha512.New()
	}
	return sha256.New()
}

// localError is a failure on this side; trying again does not help.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

type checkedWriter struct {
	file io.Writer
	sum  io.Writer
	read func(int)
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.file.Write(p)
	if err != nil {
		return n, &localError{err}
	}
	_, _ = c.sum.Write(p) // a hash never fails
	c.read(n)
	return n, nil
}

type limitedWriter struct {
	w    io.Writer
	left int
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, &localError{fmt.Errorf("answer is larger than %d bytes", maxIndex)}
	}
	return l.w.Write(p)
}

// retry runs one download up to three times, waiting 1 s and 2 s between.
func (w *web) retry(ctx context.Context, addr string, do func(context.Context) error) error {
	for n := 1; ; n++ {
		err := do(ctx)
		var local *localError
		switch {
		case err == nil, errors.Is(err, errGone), errors.Is(err, errWrong):
			return err
		case errors.As(err, &local):
			return local.err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case n == tries:
			return &NetworkError{URL: redact(addr), Err: err}
		}
		select {
		case <-time.After(time.Duration(n) * time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// redact drops a password from an address that is shown to people.
func redact(addr string) string {
	if u, err := url.Parse(addr); err == nil {
		return u.Redacted()
	}
	return addr
}

var errStalled = errors.New("the server stopped sending")

func (w *web) once(ctx context.Context, addr string, header http.Header, to io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, addr, nil)
	if err != nil {
		return &localError{err}
	}
	req.Header.Set("User-Agent", "hop3")
	for k, v := range header {
		req.Header[k] = v
	}
	res, err := w.client.Do(req)
	if err != nil {
		return bare(err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusGone:
		return errGone
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("the server answers %q", res.Status)
	}
	watch := time.AfterFunc(stallTimeout, func() { cancel(errStalled) })
	defer watch.Stop()
	n, err := io.Copy(to, &watchedReader{r: res.Body, watch: watch})
	if err != nil {
		if context.Cause(ctx) == errStalled {
			return errStalled
		}
		return err
	}
	if res.ContentLength >= 0 && n != res.ContentLength {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// bare strips method and address from an error of the HTTP client; the address
// is added once, redacted.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

type watchedReader struct {
	r     io.Reader
	watch *time.Timer
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.watch.Reset(stallTimeout)
	return n, err
}

// size asks how large a file is; 0 if the server does not say.
func (w *web) size(ctx context.Context, addr string) int64 {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, addr, nil)
	if err != nil {
		return 0
	}
	req.Header.Set("User-Agent", "hop3")
	res, err := w.client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return max(res.ContentLength, 0)
}
