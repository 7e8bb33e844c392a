package packidx

import "sync"

// maxRefBases is how many bases a pack may name by their ids. Clients that speak of offsets, which all do that are told
// that they may, name only the bases that they left out; an entry costs some 60 bytes.
const maxRefBases = 1 << 18

// refGroups are the deltas whose base is known by name only, together by base.
type refGroups struct {
	mu     sync.Mutex
	byBase map[ID]int
	list   []refGroup // in the order of the pack
}

type refGroup struct {
	base ID
	head uint32 // the deltas, 1-based; 0: they have been taken
}

func (g *refGroups) add(t *table, base ID, i int) error {
	at, ok := g.byBase[base]
	if !ok {
		if len(g.list) >= maxRefBases {
			return refuse("the pack names more than %d bases by their ids", maxRefBases)
		}
		if g.byBase == nil {
			g.byBase = map[ID]int{}
		}
		at = len(g.list)
		g.byBase[base] = at
		g.list = append(g.list, refGroup{base: base})
	}
	t.setNext(i, g.list[at].head)
	g.list[at].head = uint32(i + 1)
	return nil
}

// take returns the deltas on a base that has turned up, once.
func (g *refGroups) take(base ID) (head uint32) {
	if len(g.list) == 0 {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if at, ok := g.byBase[base]; ok {
		head, g.list[at].head = g.list[at].head, 0
	}
	return head
}
