package procman

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"hop3/procman/netns"
	"hop3/procman/proxy"
)

// Instances in networks of their own have one port, which only the router reaches, before and after a restart of the server.
func TestSwap_PrivateNetwork(t *testing.T) {
	if os.Geteuid() != 0 || isolation() == IsolationNone {
		t.Skip("needs root: only then have instances networks of their own")
	}
	n, err := netns.Open(netns.Options{Data: t.TempDir(), Rule: netns.Rule{Closed: true}})
	if err != nil {
		t.Skip("this machine cannot give networks to apps: ", err)
	}
	w := newWorld(t)
	w.sup.o.Network = n
	r := w.release("web: web", "worker: worker")
	r.Formation["web"], r.Port = 2, 80
	w.swap(r, SwapOptions{})
	for _, i := range w.sup.Instances("blog") {
		if i.Port != 80 {
			t.Errorf("%s has port %d", i.Name, i.Port)
		}
	}
	if code, _ := w.get("/"); code != 200 {
		t.Errorf("status %d", code)
	}
	var out output
	if _, err := w.sup.Run(t.Context(), r, RunSpec{Argv: []string{"app", "env"}, Out: &out}); err != nil || !strings.Contains(out.String(), "\nHOST=0.0.0.0\n") {
		t.Errorf("%v\n%s", err, &out)
	}
	before := fmt.Sprint(w.pids())
	if err := w.sup.Close(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	w.rt = proxy.New(proxy.Options{})
	w.start()
	w.sup.o.Network = n
	if err := w.sup.Adopt(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if after := fmt.Sprint(w.pids()); after != before {
		t.Errorf("adopted %s, were %s", after, before)
	}
	if code, _ := w.get("/"); code != 200 {
		t.Errorf("status %d after the restart", code)
	}
	r.Number, r.Port = r.Number+1, 3000
	w.swap(r, SwapOptions{})
	if got := w.sup.Instances("blog")[0].Port; got != 3000 {
		t.Errorf("port %d", got)
	}
}
