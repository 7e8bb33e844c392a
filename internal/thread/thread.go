// Package thread runs code that gives its OS thread another namespace.
//
// Namespaces belong to threads. Go moves goroutines between threads, so that a
// thread which stays in another network would serve other goroutines there, and
// /proc/self shows the namespaces of the process's first thread, which Go can
// neither end nor keep free. Code here therefore never has the first thread,
// and a thread that it has changed for good ends with it.
package thread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Do calls f on a thread that is its alone and not the first of the process,
// and returns when f has. f reports whether it leaves the thread as it was;
// else the thread ends.
func Do(f func() (asBefore bool)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			Do(f) // on another one: this goroutine keeps the first until then
			runtime.UnlockOSThread()
			return
		}
		if f() {
			runtime.UnlockOSThread()
		}
	}()
	<-done
}
