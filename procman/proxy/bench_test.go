package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkRouter measures the router beside httputil.ReverseProxy, tuned, and
// nginx, in one run with one client and one app, over keep-alive connections.
// The ratio is the time of the other by that of the router: above 1, the router is faster.
func BenchmarkRouter(b *testing.B) {
	for _, size := range []int{100, 64 << 10} {
		app := canned(b, "web.1", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)))
		addr := addrOf(b, app)
		f := startFront(b, Options{})
		f.point(b, Route{Backends: []*Backend{app}})
		peers := map[string]string{"reverseproxy": startReverseProxy(b, addr)}
		if nginx := startNginx(b, addr); nginx != "" {
			peers["nginx"] = nginx
		}
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			took := map[string]time.Duration{}
			for b.Loop() { // in turns, so that a busy machine is busy for all
				for name, addr := range peers {
					took[name] += burst(b, addr)
				}
				took["hop3"] += burst(b, f.addr)
			}
			for name := range peers {
				b.ReportMetric(float64(took[name])/float64(took["hop3"]), name+"/hop3")
			}
			b.ReportMetric(float64(took["hop3"].Nanoseconds())/float64(b.N)/burstSize, "ns/request")
		})
	}
}

// burstSize requests are sent over burstConns connections at a time.
const burstSize, burstConns = 3200, 32

func burst(b *testing.B, addr string) time.Duration {
	b.Helper()
	done := make(chan error, burstConns)
	start := time.Now()
	for range burstConns {
		go func() { done <- hammer(addr, burstSize/burstConns) }()
	}
	for range burstConns {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

// hammer sends n requests over one connection and reads the responses, as cheaply as it can.
func hammer(addr string, n int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	br := bufio.NewReaderSize(c, 64<<10)
	for range n {
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: blog.test\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"); err != nil {
			return err
		}
		length := -1
		for {
			line, err := br.ReadSlice('\n')
			if err != nil {
				return err
			}
			if len(line) == 2 {
				break
			}
			if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
					return err
				}
			}
		}
		if length < 0 {
			return io.ErrUnexpectedEOF
		}
		if _, err := br.Discard(length); err != nil {
			return err
		}
	}
	return nil
}

func startReverseProxy(b *testing.B, app string) string {
	l := listen(b)
	s := &http.Server{Handler: &httputil.ReverseProxy{
		Rewrite:   func(pr *httputil.ProxyRequest) { pr.SetURL(&url.URL{Scheme: "http", Host: app}); pr.SetXForwarded() },
		Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true},
	}}
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	b.Cleanup(func() { s.Close(); <-done })
	return l.Addr().String()
}

// startNginx runs an nginx that is tuned for this, "" if there is none.
func startNginx(b *testing.B, app string) string {
	exe, err := exec.LookPath("nginx")
	if err != nil {
		b.Log("no nginx on this machine: not compared with it")
		return ""
	}
	l := listen(b)
	addr := l.Addr().String()
	l.Close()
	dir := b.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr crit;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
 keepalive_requests 1000000; proxy_max_temp_file_size 0; proxy_buffers 16 16k;
 upstream app { server %[2]s; keepalive 512; keepalive_requests 1000000; }
 server { listen %[3]s; location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; } } }
`, dir, app, addr)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(exe, "-c", conf, "-e", "stderr", "-p", dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	waitFor(b, "nginx to listen", func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
	return addr
}
