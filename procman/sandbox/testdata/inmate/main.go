// Command inmate is what the tests run inside of a sandbox: each subcommand
// does or tries one thing and says on stdout how it went.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var commands = map[string]func(args []string){
	"echo":   func(a []string) { fmt.Println(strings.Join(a, " ")) },
	"true":   func([]string) {},
	"exit":   func(a []string) { os.Exit(number(a[0])) },
	"raise":  func(a []string) { raise(syscall.Signal(number(a[0]))) },
	"env":    func([]string) { fmt.Println(strings.Join(os.Environ(), "\n")) },
	"args":   func(a []string) { fmt.Printf("%q\n", os.Args) },
	"pwd":    func([]string) { d, err := os.Getwd(); fmt.Println(d, err) },
	"cat":    func([]string) { _, err := io.Copy(os.Stdout, os.Stdin); check(err) },
	"stderr": func(a []string) { fmt.Fprint(os.Stderr, a[0]) },
	"bytes":  func(a []string) { s, err := strconv.Unquote(`"` + a[0] + `"`); check(err); os.Stdout.WriteString(s) },
	"ls":     list,
	"read":   read,
	"write":  write,
	"append": appendTo,
	"fds":    fds,
	"status": func([]string) { b, err := os.ReadFile("/proc/self/status"); check(err); os.Stdout.Write(b) },
	"pid1":   pid1,
	"ids":    func([]string) { g, err := os.Getgroups(); fmt.Println(os.Getuid(), os.Getgid(), g, err) },
	"try":    func(a []string) { fmt.Println(a[0], attempts[a[0]]()) },
	"tries":  tries,
	"forks":  forks,
	"eat":    eat,
	"fill":   fill,
	"sleep":  func([]string) { fmt.Println("asleep"); forever() },
	"deaf":   deaf,
	"trap":   trap,
	"orphan": orphan,
	"count":  count,
	"flood":  flood,
	"slow":   slow,
	"tty":    tty,
	"spawn":  spawn,
	"order":  orderSocket,
	"touch": func(a []string) {
		check(os.WriteFile(a[0], []byte("written"), 0o644))
		fmt.Println("touched")
		forever()
	},
	"bomb":   bomb,
	"long":   func(a []string) { fmt.Println(strings.Repeat("y", number(a[0]))); fmt.Println("after") },
	"refill": refill,
	"dial": func(a []string) {
		c, err := net.Dial("tcp", a[0])
		fmt.Println(err)
		if err == nil {
			c.Close()
		}
	},
	"listen": listen,
	"ask": func(a []string) {
		c, err := net.Dial(a[0], a[1])
		if err == nil {
			_, err = io.Copy(os.Stdout, c)
		}
		fmt.Println(err)
	},
	"ping": func([]string) { fmt.Println("ping", os.Getpid()) },
}

func main() {
	run := commands[os.Args[1]]
	if run == nil {
		fmt.Println("no such command")
		os.Exit(99)
	}
	run(os.Args[2:])
}

// forever is what select {} is not: Go would call that a deadlock.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}

func check(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(98)
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	check(err)
	return n
}

func raise(s syscall.Signal) {
	check(syscall.Kill(os.Getpid(), s))
	forever()
}

func list(args []string) {
	for _, d := range args {
		entries, err := os.ReadDir(d)
		check(err)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		slices.Sort(names)
		fmt.Println(d+":", strings.Join(names, " "))
	}
}

func read(args []string) {
	for _, p := range args {
		b, err := os.ReadFile(p)
		if err != nil {
			fmt.Printf("%s: %v\n", p, err)
			continue
		}
		fmt.Printf("%s: %s\n", p, b)
	}
}

func write(args []string) {
	for _, p := range args {
		fmt.Printf("%s: %v\n", p, os.WriteFile(p, []byte("written"), 0o644))
	}
}

func appendTo(args []string) {
	f, err := os.OpenFile(args[0], os.O_APPEND|os.O_WRONLY, 0)
	fmt.Println(err)
	if err == nil {
		f.Close()
	}
}

// fds names the open descriptors, leaving out those of this runtime.
func fds([]string) {
	var rlim syscall.Rlimit
	check(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &rlim))
	for fd := range min(int(rlim.Cur), 4096) {
		to, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err == nil && !strings.HasPrefix(to, "anon_inode:") {
			fmt.Println(fd, to)
		}
	}
}

func forks(args []string) {
	n := 0
	for range number(args[0]) {
		cmd := exec.Command(os.Args[0], "sleep")
		if err := cmd.Start(); err != nil {
			fmt.Println("refused after", n, err)
			return
		}
		n++
	}
	fmt.Println("started", n)
}

func eat(args []string) {
	var all [][]byte
	for range number(args[0]) {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
	}
	fmt.Println("ate", len(all))
}

func fill(args []string) {
	f, err := os.Create(filepath.Join(args[0], "big"))
	check(err)
	n, err := io.Copy(f, io.LimitReader(zeros{}, int64(number(args[1]))<<20))
	fmt.Println("wrote", n>>20, err)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// deaf takes no notice of SIGTERM.
func deaf([]string) {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	fmt.Println("deaf")
	forever()
}

// trap exits with 7 when SIGTERM comes.
func trap([]string) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGINT)
	fmt.Println("ready")
	for s := range c {
		fmt.Println("got", s)
		if s == syscall.SIGTERM {
			os.Exit(7)
		}
	}
}

// orphan leaves grandchildren in sessions of their own behind and then waits or exits.
func orphan(args []string) {
	if args[0] == "middle" {
		for range 3 {
			cmd := exec.Command(os.Args[0], "sleep", args[1])
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			check(cmd.Start())
		}
		return
	}
	cmd := exec.Command(os.Args[0], "orphan", "middle", args[1])
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	check(cmd.Run())
	fmt.Println("orphaned")
	if args[0] == "stay" {
		forever()
	}
}

// count prints numbers, one a line, with a pause in milliseconds between.
func count(args []string) {
	tick := time.NewTicker(time.Duration(number(args[1])) * time.Millisecond)
	for i := range number(args[0]) {
		fmt.Println("line", i)
		<-tick.C
	}
	os.Exit(number(args[2]))
}

func flood(args []string) {
	w := bufio.NewWriterSize(os.Stdout, 1<<16)
	for i := range number(args[0]) {
		fmt.Fprintf(w, "flood %08d %s\n", i, strings.Repeat("x", 80))
	}
	check(w.Flush())
	fmt.Fprintln(os.Stderr, "flooded")
}

// slow writes its arguments without newlines, waiting for a byte on stdin or 600 ms between.
func slow(args []string) {
	for _, a := range args {
		s, err := strconv.Unquote(`"` + a + `"`)
		check(err)
		os.Stdout.WriteString(s)
		time.Sleep(600 * time.Millisecond)
	}
}

// tty tells about the terminal, and each line it reads; "size" asks for its size.
func tty([]string) {
	name, err := os.Readlink("/proc/self/fd/0")
	fmt.Println("terminal", name, err)
	if f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err != nil {
		fmt.Println("no controlling terminal:", err)
	} else {
		f.Close()
	}
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGWINCH, syscall.SIGINT)
	go func() {
		for s := range c {
			w, _ := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
			fmt.Println("signal", s, w.Col, w.Row)
		}
	}()
	w, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
	check(err)
	fmt.Println("size", w.Col, w.Row)
	for s := bufio.NewScanner(os.Stdin); s.Scan(); {
		fmt.Println("read", s.Text())
		if s.Text() == "quit" {
			os.Exit(3)
		}
	}
}

func spawn(args []string) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	fmt.Printf("%s%v\n", out, err)
}

// pid1 prints the status of each thread of the init, once all have settled.
func pid1([]string) {
	for range 100 {
		out := threads()
		if strings.Count(out, "CapEff:\t0000000000000020") == strings.Count(out, "CapEff:") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Print(threads())
}

func threads() string {
	files, err := filepath.Glob("/proc/1/task/*/status")
	check(err)
	var out strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		check(err)
		out.Write(b)
	}
	return out.String()
}

// orderSocket sends a line to a socket and prints what comes back.
func orderSocket(args []string) {
	c, err := net.Dial("unix", args[0])
	check(err)
	_, err = fmt.Fprintln(c, args[1])
	check(err)
	_, _ = io.Copy(os.Stdout, c) // being cut off is an answer
}

// bomb starts copies of itself for ever.
func bomb([]string) {
	fmt.Println("bombing")
	for {
		if exec.Command(os.Args[0], "bomb").Start() != nil {
			time.Sleep(time.Millisecond)
		}
	}
}

// refill prints 4 MiB, makes the second file, waits for the first, and prints again.
func refill(args []string) {
	for range 64 << 10 {
		fmt.Println(strings.Repeat("z", 63))
	}
	check(os.WriteFile(args[1], nil, 0o644))
	for {
		if _, err := os.Stat(args[0]); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println("room again")
}
