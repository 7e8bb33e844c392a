package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// proxyCore and loadCore are the cores of what is measured and of what measures.
const proxyCore, loadCore = "0", "1"

// A proxyUnderTest is one that runs.
type proxyUnderTest struct {
	name        string
	http, https string // addresses; "" where it does not serve that
	cmd         *exec.Cmd
}

// A bench is the app and all proxies in front of it.
type bench struct {
	ctx       context.Context // ends what runs; only for the life of the bench
	dir       string
	app       string // address
	cert, key string // files
	proxies   []*proxyUnderTest
	running   []*exec.Cmd
}

// newBench starts the app and the proxies. What it has started ends by close.
func newBench(ctx context.Context) (*bench, error) {
	for _, tool := range []string{"wrk", "h2load", "taskset", "nginx"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w; install what is missing: .ci/setup bench", err)
		}
	}
	dir, err := os.MkdirTemp("", "routerbench")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	b := &bench{ctx: ctx, dir: dir}
	if err := b.start(); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) start() (err error) {
	if err := b.makeCertificate(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if b.app, err = freeAddr(); err != nil {
		return err
	}
	if _, err := b.launch(loadCore, b.app, nil, self, "app", b.app); err != nil {
		return err
	}
	for _, add := range []func() error{func() error { return b.addHop3(self) }, b.addNginx, b.addCaddy, b.addKamal} {
		if err := add(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) addHop3(self string) error {
	p, err := newProxy("hop3")
	if err != nil {
		return err
	}
	return b.add(p, self, "hop3", p.http, p.https, b.app, b.cert, b.key)
}

// nginxConf is tuned as for a benchmark: no log, keep-alive to the app without
// end, buffers that hold the whole of a large response.
const nginxConf = `daemon off; worker_processes 1; pid DIR/pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  keepalive_requests 100000000; tcp_nodelay on; proxy_max_temp_file_size 0; proxy_buffers 16 16k; client_body_buffer_size 128k; ssl_session_cache shared:s:10m;
  upstream app { server APP; keepalive 512; keepalive_requests 100000000; }
  server {
    listen HTTPADDR reuseport; listen HTTPSADDR ssl http2 reuseport; http2_max_requests 100000000;
    ssl_certificate CERT; ssl_certificate_key KEY; ssl_protocols TLSv1.2 TLSv1.3;
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Request-Id $request_id; }
  }
}
`

const caddyConf = `{
	admin off
	auto_https off
	default_sni 127.0.0.1
	log { 
		level ERROR
	}
}
http://HTTPADDR {
	reverse_proxy APP
}
https://HTTPSADDR {
	tls CERT KEY
	reverse_proxy APP
}
`

func (b *bench) addNginx() error {
	p, err := newProxy("nginx")
	if err != nil {
		return err
	}
	conf, err := b.write("nginx.conf", nginxConf, p)
	if err != nil {
		return err
	}
	return b.add(p, "nginx", "-c", conf, "-e", "stderr", "-p", b.dir)
}

func (b *bench) addCaddy() error {
	p, err := newProxy("caddy")
	if err != nil || !installed("caddy") {
		return err
	}
	conf, err := b.write("Caddyfile", caddyConf, p)
	if err != nil {
		return err
	}
	return b.add(p, "caddy", "run", "--adapter", "caddyfile", "--config", conf)
}

// addKamal starts kamal-proxy, which has HTTPS only for names that it can have certified.
func (b *bench) addKamal() error {
	p, err := newProxy("kamal-proxy")
	if err != nil || !installed("kamal-proxy") {
		return err
	}
	_, port, err := net.SplitHostPort(p.http)
	if err != nil {
		return err
	}
	_, secure, err := net.SplitHostPort(p.https)
	if err != nil {
		return err
	}
	p.https = ""
	if err := b.add(p, "kamal-proxy", "run", "--http-port", port, "--https-port", secure); err != nil {
		return err
	}
	deploy := exec.CommandContext(b.ctx, "kamal-proxy", "deploy", "bench", "--target", b.app, "--host", "127.0.0.1")
	deploy.Env = b.env()
	if out, err := deploy.CombinedOutput(); err != nil {
		return fmt.Errorf("deploy by kamal-proxy: %w: %s", err, out)
	}
	return nil
}

func newProxy(name string) (*proxyUnderTest, error) {
	h, err := freeAddr()
	if err != nil {
		return nil, err
	}
	s, err := freeAddr()
	return &proxyUnderTest{name: name, http: h, https: s}, err
}

func (b *bench) add(p *proxyUnderTest, argv ...string) (err error) {
	if p.cmd, err = b.launch(proxyCore, p.http, b.env(), argv...); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	b.proxies = append(b.proxies, p)
	return nil
}

// env keeps what the proxies leave behind in the bench's folder.
func (b *bench) env() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "XDG_CONFIG_HOME=" + b.dir, "XDG_STATE_HOME=" + b.dir, "XDG_RUNTIME_DIR=" + b.dir, "GOMAXPROCS=1"}
}

// launch starts a program on a core and waits until it listens at addr.
func (b *bench) launch(core, addr string, env []string, argv ...string) (*exec.Cmd, error) {
	log, err := os.Create(filepath.Join(b.dir, filepath.Base(argv[0])+".log"))
	if err != nil {
		return nil, fmt.Errorf("make log: %w", err)
	}
	defer log.Close() // the program has its own
	cmd := exec.CommandContext(b.ctx, "taskset", append([]string{"-c", core}, argv...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b.running = append(b.running, cmd)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			return cmd, c.Close()
		}
	}
	said, _ := os.ReadFile(log.Name()) // it is only there to help
	return nil, fmt.Errorf("%s does not listen at %s: %s", argv[0], addr, said)
}

func (b *bench) write(name, text string, p *proxyUnderTest) (string, error) {
	text = strings.NewReplacer("DIR", b.dir, "HTTPADDR", p.http, "HTTPSADDR", p.https, "APP", b.app, "CERT", b.cert, "KEY", b.key).Replace(text)
	path := filepath.Join(b.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func (b *bench) makeCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	b.cert, b.key = filepath.Join(b.dir, "cert.pem"), filepath.Join(b.dir, "key.pem")
	return errors.Join(
		os.WriteFile(b.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(b.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// close ends all that was started.
func (b *bench) close() error {
	for _, cmd := range b.running {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // has ended otherwise
		_ = cmd.Wait()                                      // killed, as meant
	}
	return os.RemoveAll(b.dir)
}

func installed(tool string) bool {
	_, err := exec.LookPath(tool)
	if err != nil {
		fmt.Printf("%s is not installed: not compared with it\n", tool)
	}
	return err == nil
}

// freeAddr returns an address of this machine where nothing listens.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a port: %w", err)
	}
	return l.Addr().String(), l.Close()
}
