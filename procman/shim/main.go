package shim

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"hop3/procman/sandbox"
)

// Marker is the argv[0] by which the re-executed binary knows that it is a shim.
const Marker = "hop3-shim"

// Reexec does the work of the program's other halves: if this process was
// started as a sandbox's init or as a shim, it is that until the end, and ok
// is true. Call it first thing in main, and in TestMain:
//
//	if code, ok := shim.Reexec(); ok {
//		os.Exit(code)
//	}
func Reexec() (code int, ok bool) {
	if len(os.Args) == 0 {
		return 0, false
	}
	switch os.Args[0] {
	case Marker:
		return Main(), true
	case sandbox.Marker:
		return sandbox.Main(), true
	}
	return 0, false
}

// Main is the shim. It returns when the instance has ended.
func Main() int {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, time.Now().UTC().Format(time.RFC3339), "hop3 shim:", err)
		return 125
	}
	return 0
}

// run is the life of an instance.
func run() error {
	in, err := sandbox.Open()
	if err != nil {
		return err
	}
	var p payload
	if err := json.Unmarshal(in.Payload, &p); err != nil {
		return fmt.Errorf("read instance: %w", err)
	}
	log, err := openLog(in.File(fileLogDir), p)
	if err != nil {
		return in.Refuse(fmt.Errorf("open log: %w", err))
	}
	exit, err := prepareExit(in.File(fileDir))
	if err != nil {
		return in.Refuse(err)
	}
	out, err := log.pipe(Stdout)
	if err != nil {
		return in.Refuse(err)
	}
	errOut, err := log.pipe(Stderr)
	if err != nil {
		return in.Refuse(err)
	}
	c, err := listen(in.File(fileListener), p.Token)
	if err != nil {
		return in.Refuse(err)
	}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	sandbox.Deafen()
	pid, err := in.Start([3]*os.File{nil, out, errOut})
	if err != nil {
		return err
	}
	out.Close()
	errOut.Close()
	if err := in.AwaitKeep(); err != nil { // nobody knows of this instance: it must not be
		in.KillRest(pid)
		return err
	}
	debug.FreeOSMemory() // what the start took is most of what a shim ever needs
	st := supervise(in, pid, children, c.orders)
	log.Close(in.Spec.Bare)
	err = exit.write(st)
	c.end(st)
	return err
}

// supervise carries out orders until the app has ended, and then ends the rest.
func supervise(in *sandbox.Inside, pid int, children <-chan os.Signal, orders <-chan order) ExitStatus {
	var grace <-chan time.Time
	for {
		select {
		case <-children:
			ws, ended := sandbox.Reap(pid)
			if !ended {
				continue
			}
			st := in.Status(ws)
			in.KillRest(pid)
			st.At = time.Now().UTC()
			return st
		case o := <-orders:
			switch o.Op {
			case opSignal:
				o.done <- syscall.Kill(pid, syscall.Signal(o.Signal))
			case opStop:
				o.done <- syscall.Kill(pid, syscall.Signal(o.Signal))
				grace = time.After(time.Duration(o.Grace))
			case opKill:
				o.done <- in.KillNow(pid)
			}
		case <-grace:
			_ = in.KillNow(pid) // it has just ended
		}
	}
}
