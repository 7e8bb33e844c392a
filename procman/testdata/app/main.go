// Command app is the application that procman's tests run: what it does is said by its arguments.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	mode := ""
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	arg := strings.Join(os.Args[min(2, len(os.Args)):], " ")
	switch mode {
	case "web":
		web(os.Getenv("PORT"), 0)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		web(os.Getenv("PORT"), 0)
	case "wrong":
		web("0", 0)
	case "sick":
		web(os.Getenv("PORT"), http.StatusInternalServerError)
	case "never":
		wait()
	case "exit":
		fmt.Println("about to exit")
		fmt.Fprintln(os.Stderr, "with an error")
		code, _ := strconv.Atoi(arg)
		os.Exit(code)
	case "killed":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "once": // dies at its first run, listens at the second
		if _, err := os.Stat("/data/" + arg); err != nil {
			os.WriteFile("/data/"+arg, nil, 0o600)
			os.Exit(4)
		}
		web(os.Getenv("PORT"), 0)
	case "note": // which releases came by
		f, err := os.OpenFile("/data/notes", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = fmt.Fprintln(f, os.Getenv("HOP3_RELEASE"))
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case "alone":
		alone()
	case "aloneweb":
		lock()
		web(os.Getenv("PORT"), 0)
	case "redis":
		redis("/data/socket/redis.sock")
	case "worker": // may need a service when it starts
		if arg != "" {
			meet(arg)
		}
		wait()
	case "flood":
		flood(arg)
	case "args":
		fmt.Printf("%q\n", os.Args[2:])
	case "env":
		for _, kv := range os.Environ() {
			fmt.Println(kv)
		}
	default:
		wait()
	}
}

func wait() {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	fmt.Println("working for release", os.Getenv("HOP3_RELEASE"))
	<-term
	fmt.Println("done")
}

// lock fails where another process of the app has it: two of them run at once.
func lock() {
	f, err := os.OpenFile("/data/lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		fmt.Println("lock:", err)
		os.Exit(9)
	}
}

func alone() {
	lock()
	if os.Getenv("FAIL") != "" {
		os.Exit(5)
	}
	wait()
	time.Sleep(100 * time.Millisecond) // with the lock: whoever does not wait for its end is found out
}

// redis says what a server says that takes work, which it begins late.
func redis(socket string) {
	time.Sleep(300 * time.Millisecond)
	os.MkdirAll(filepath.Dir(socket), 0o755)
	os.Remove(socket)
	l, err := net.Listen("unix", socket)
	if err == nil {
		err = os.Chmod(socket, 0o777) // others than the service's user connect
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		fmt.Fprint(conn, "+OK\r\n+PONG\r\n")
		io.Copy(io.Discard, conn)
		conn.Close()
	}
}

func meet(socket string) {
	if _, err := net.Dial("unix", socket); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func flood(lines string) {
	n, _ := strconv.Atoi(lines)
	for i := range n {
		fmt.Printf("line %d %s\n", i, strings.Repeat("x", 100))
	}
	web(os.Getenv("PORT"), 0)
}

func web(port string, status int) {
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("listening on", l.Addr())
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if status != 0 {
			w.WriteHeader(status)
		}
		fmt.Fprintf(w, "%s %s", os.Getenv("HOP3_RELEASE"), os.Getenv("PS"))
	})
	mux.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { os.Exit(3) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { // its end comes after a time, or once a file is there
		d, _ := time.ParseDuration(r.URL.Query().Get("for"))
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		time.Sleep(d)
		for name := r.URL.Query().Get("until"); name != ""; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat("/data/" + name); err == nil {
				break
			}
		}
		fmt.Fprint(w, "slow")
	})
	fmt.Println(http.Serve(l, mux))
}
