package proxy

import (
	"crypto/tls"
	"io"
	"testing"

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
