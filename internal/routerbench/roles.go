package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hop3/procman/proxy"
)

// appHead is the longest request head that the app reads.
const appHead = 8 << 10

// serveApp answers /64k with so many bytes, /chunked with 100 in a chunk and
// everything else with 100, as cheaply as it can: app ADDR.
func serveApp(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: routerbench app ADDR")
	}
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a := answers{small: answer(100), large: answer(64 << 10), chunked: chunked(100)}
	for {
		c, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go a.serve(c)
	}
}

func answer(size int) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
}

func chunked(size int) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", size, strings.Repeat("x", size))
}

// answers are what the app has to say.
type answers struct{ small, large, chunked []byte }

// serve answers all requests of a connection.
func (a answers) serve(c net.Conn) {
	defer c.Close()
	br := bufio.NewReaderSize(c, appHead)
	for {
		res, length := a.small, 0
		for first := true; ; first = false {
			line, err := br.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) == len("\r\n") {
				break
			}
			switch {
			case first && bytes.HasPrefix(line, []byte("GET /64k ")):
				res = a.large
			case first && bytes.HasPrefix(line, []byte("GET /chunked ")):
				res = a.chunked
			case line[0]|0x20 == 'c' && bytes.HasPrefix(bytes.ToLower(line), []byte("content-length: ")):
				if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len("content-length: "):]))); err != nil {
					return
				}
			}
		}
		if _, err := br.Discard(length); err != nil {
			return
		}
		if _, err := c.Write(res); err != nil {
			return
		}
	}
}

// serveRouter runs the router in front of the app: hop3 HTTP HTTPS APP CERT KEY.
func serveRouter(args []string) error {
	if len(args) != 5 {
		return errors.New("usage: routerbench hop3 HTTP HTTPS APP CERT KEY")
	}
	cert, err := tls.LoadX509KeyPair(args[3], args[4])
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	r := proxy.New(proxy.Options{TLS: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}})
	if err := r.Point(proxy.Route{App: "bench", Hosts: []string{"127.0.0.1"}, Backends: []*proxy.Backend{proxy.NewBackend("web.1", args[2])}}); err != nil {
		return err
	}
	ends := make(chan error, 2)
	for i, serve := range []func(net.Listener) error{r.Serve, r.ServeTLS} {
		l, err := net.Listen("tcp", args[i])
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		go func() { ends <- serve(l) }()
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	select {
	case err := <-ends:
		return err
	case <-ctx.Done():
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return r.Shutdown(ctx)
	}
}
