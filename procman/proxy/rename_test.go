package proxy

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRouter_Rename(t *testing.T) {
	r := New(Options{})
	status := func(host string) int {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://"+host+"/", nil))
		return w.Code
	}
	if err := r.Rename("none", "new"); err != nil {
		t.Error(err)
	}
	for _, app := range []string{"old", "other"} {
		if err := r.Point(Route{App: app, Hosts: []string{app + ".test"}, Maintenance: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Rename("old", "other"); err == nil {
		t.Error("took another app's name")
	}
	if err := r.Rename("old", "new"); err != nil {
		t.Fatal(err)
	}
	if got := status("old.test"); got != http.StatusServiceUnavailable {
		t.Errorf("the host answers %d", got)
	}
	if _, ok := r.Stats("old"); ok {
		t.Error("the old name is still known")
	}
	if s, ok := r.Stats("new"); !ok || s.Requests != 1 {
		t.Errorf("%+v", s)
	}
	if err := r.Point(Route{App: "new", Hosts: []string{"new.test"}}); err != nil || status("old.test") != http.StatusNotFound {
		t.Errorf("the renamed app cannot be pointed: %v", err)
	}
}
