package proxy

import "fmt"

// Rename makes the route of the app old the route of the app new, in one step: no
// request for its hosts meets anything else. Its counters start anew. An app
// without a route is no error; a name that has one is, and changes nothing.
func (r *Router) Rename(old, new string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.table.Load()
	prev := t.apps[old]
	if prev == nil {
		return nil
	}
	if t.apps[new] != nil {
		return fmt.Errorf("rename route: %s has a route already", new)
	}
	rt := prev.Route
	rt.App = new
	next, err := newRoute(rt)
	if err != nil {
		return err
	}
	t, _ = t.without(old)
	if t, _, err = t.with(next); err != nil {
		return err
	}
	next.app = &app{name: new}
	delete(r.apps, old)
	r.apps[new] = next.app
	r.table.Store(t)
	prev.retire(next)
	return nil
}
