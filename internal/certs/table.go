package certs

import (
	"slices"
	"strings"
	"time"
)

// A table is the own certificates at one moment; it never changes once it is stored.
type table struct {
	pairs  []*pair // by name
	byName map[string]*pair
}

// newTable takes pairs over. Of two certificates for a name the one that
// lasts longer is used.
func newTable(pairs []*pair) *table {
	slices.SortFunc(pairs, func(a, b *pair) int { return strings.Compare(a.name(), b.name()) })
	t := &table{pairs: pairs, byName: map[string]*pair{}}
	for _, p := range pairs {
		for _, n := range p.names {
			if old := t.byName[n]; old == nil || old.cert.Leaf.NotAfter.Before(p.cert.Leaf.NotAfter) {
				t.byName[n] = p
			}
		}
	}
	return t
}

// find returns the certificate for name: its own, else the one with a * in
// place of its first label; nil if there is none, or it has expired.
func (t *table) find(name string, now time.Time) *pair {
	if p := t.byName[name]; p != nil && now.Before(p.cert.Leaf.NotAfter) {
		return p
	}
	_, parent, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}
	if p := t.byName["*."+parent]; p != nil && now.Before(p.cert.Leaf.NotAfter) {
		return p
	}
	return nil
}
