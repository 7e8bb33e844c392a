package thread

import (
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// ownNetwork names the network namespace of the calling thread.
func ownNetwork(t *testing.T) string {
	t.Helper()
	name, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Error(err)
	}
	return name
}

// Many goroutines leave the network at once, and none of the threads that go on
// without them is where they went; the process's first thread never leaves.
func TestDo_LeavesNoThreadElsewhere(t *testing.T) {
	home := ownNetwork(t)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			Do(func() bool {
				if unix.Gettid() == unix.Getpid() {
					t.Error("it has the first thread")
				}
				if i%2 == 0 || os.Geteuid() != 0 {
					return true
				}
				if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
					t.Error(err)
				}
				return false
			})
			if got := ownNetwork(t); got != home {
				t.Errorf("afterwards a goroutine is in %s, not in %s", got, home)
			}
		})
	}
	all.Wait()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for range 4 * len(threads) { // each is looked at once, probably
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if got := ownNetwork(t); got != home {
				t.Errorf("a thread is in %s, not in %s", got, home)
			}
		})
	}
	all.Wait()
	if got, err := os.Readlink("/proc/self/ns/net"); err != nil || got != home {
		t.Errorf("the first thread is in %s (%v), not in %s", got, err, home)
	}
}
