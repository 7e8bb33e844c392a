package shim_test

import (
	"errors"
	"syscall"
	"testing"

	"hop3/procman/shim"
)

func TestAdopt_StuckShimIsEnded(t *testing.T) {
	t.Parallel()
	s := spec(t, "trap")
	ids := killedServer(t, s)
	await(t, s.LogPath, "ready")
	if err := syscall.Kill(ids[0].ID.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if _, err := shim.Adopt(s.Dir, ids[0].ID); !errors.Is(err, shim.ErrGone) {
		t.Errorf("adopt: %v", err)
	}
	if alive(ids[0].Pid) {
		t.Error("the app goes on with nobody to look after it")
	}
}
