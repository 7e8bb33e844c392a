package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	rpc "google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// TestGRPC_UnaryAndStreams has grpc-go on both sides: a unary call, an error in
// trailers, a stream of the server's and one both ways, over h2c and TLS; and a stream
// that goes on while the app is replaced.
func TestGRPC_UnaryAndStreams(t *testing.T) {
	f, secure, pool := startSecure(t, Options{})
	app, b := startGRPC(t)
	f.point(t, Route{Backends: []*Backend{b}})
	for addr, creds := range map[string]credentials.TransportCredentials{
		f.addr: insecure.NewCredentials(),
		secure: credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "blog.test"}),
	} {
		conn, err := rpc.NewClient(addr, rpc.WithTransportCredentials(creds), rpc.WithAuthority("blog.test"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		client := healthpb.NewHealthClient(conn)
		res, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil || res.Status != healthpb.HealthCheckResponse_SERVING {
			t.Fatalf("unary: %v, %v", res, err)
		}
		if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "none"}); status.Code(err) != codes.NotFound {
			t.Errorf("error: %v", err)
		}
		bothWays(t, reflectionpb.NewServerReflectionClient(conn))

		watch, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{Service: "changes"})
		if err != nil {
			t.Fatal(err)
		}
		want := healthpb.HealthCheckResponse_SERVICE_UNKNOWN
		for i, next := range []healthpb.HealthCheckResponse_ServingStatus{healthpb.HealthCheckResponse_NOT_SERVING, healthpb.HealthCheckResponse_SERVING} {
			if got, err := watch.Recv(); err != nil || got.Status != want {
				t.Fatalf("stream: %v, %v, want %v", got, err, want)
			}
			if i == 1 { // the stream stays with the app that it began with
				f.point(t, Route{Backends: []*Backend{startApp(t, "web.2", say("new"))}})
			}
			app.SetServingStatus("changes", next)
			want = next
		}
		if got, err := watch.Recv(); err != nil || got.Status != want {
			t.Errorf("stream after the swap: %v, %v", got, err)
		}
		app.SetServingStatus("changes", healthpb.HealthCheckResponse_SERVICE_UNKNOWN)
		f.point(t, Route{Backends: []*Backend{b}})
	}
}

func startGRPC(t *testing.T) (*health.Server, *Backend) {
	l := listen(t)
	s, app := rpc.NewServer(), health.NewServer()
	healthpb.RegisterHealthServer(s, app)
	reflection.RegisterV1(s)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	b := NewBackend("web.1", l.Addr().String())
	t.Cleanup(func() {
		b.Close()
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return app, b
}

// bothWays has a conversation in which each question waits for the answer before.
func bothWays(t *testing.T, client reflectionpb.ServerReflectionClient) {
	stream, err := client.ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
		if err != nil {
			t.Fatal(err)
		}
		res, err := stream.Recv()
		if err != nil || len(res.GetListServicesResponse().GetService()) == 0 {
			t.Fatalf("both ways: %v, %v", res, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("both ways, end: %v", err)
	}
}

// TestGRPC_Limits has a call whose message is larger than the app's limit, and one that is not answered in time.
func TestGRPC_Limits(t *testing.T) {
	f := startFront(t, Options{})
	_, b := startGRPC(t)
	f.point(t, Route{Backends: []*Backend{b}, MaxBody: 1000})
	conn, err := rpc.NewClient(f.addr, rpc.WithTransportCredentials(insecure.NewCredentials()), rpc.WithAuthority("blog.test"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := healthpb.NewHealthClient(conn)
	if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("within the limit: %v", err)
	}
	_, err = client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: strings.Repeat("x", 2000)})
	if err == nil || status.Code(err) == codes.NotFound {
		t.Errorf("beyond the limit: %v", err)
	}
	f.point(t, Route{Backends: []*Backend{silentHTTP2(t)}, ResponseTimeout: 50 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = client.Check(ctx, &healthpb.HealthCheckRequest{})
	if status.Code(err) != codes.Unavailable { // of 504
		t.Errorf("no answer in time: %v", err)
	}
}

// silentHTTP2 is an app that answers nothing.
func silentHTTP2(t *testing.T) *Backend {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	l := listen(t)
	s := &http.Server{Protocols: p, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })}
	var done sync.WaitGroup
	done.Go(func() { s.Serve(l) })
	b := NewBackend("web.2", l.Addr().String())
	t.Cleanup(func() { b.Close(); s.Close(); done.Wait() })
	return b
}
