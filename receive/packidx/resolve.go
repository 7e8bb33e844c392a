package packidx

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// maxWorkers bounds what the workers need together.
const maxWorkers = 8

// resolve is the second pass: each object that has deltas on it is the root of a tree of them. The trees are independent
// of each other, so that the workers share nothing but the table's different entries.
func (p *pack) resolve(ctx context.Context) error {
	if p.deltas == 0 {
		return nil
	}
	if len(p.groups.list) > 0 {
		for i := range p.table.len() {
			if p.table.kind(i) != None {
				p.table.adopt(i, p.groups.take(p.table.id(i)))
			}
		}
	}
	workers := p.options.Workers
	if workers == 0 {
		workers = min(runtime.GOMAXPROCS(0), maxWorkers)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		w := p.newWorker(workers)
		wg.Go(func() {
			defer w.close()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= p.table.len() {
					return
				}
				if p.table.packed(i) > Tag || p.table.head(i) == 0 {
					continue
				}
				if err := w.tree(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// worker resolves one tree after the other.
type worker struct {
	entries
	zlib    inflater
	hash    *hasher
	checker *checker
	buffers buffers
	spill   spill
	delta   []byte
	stack   []frame
	held    int64 // bytes in memory of what is on the stack below its top
	mayHold int64
}

// frame is an object whose deltas are being resolved.
type frame struct {
	body  body
	kind  Kind
	next  uint32 // the next delta, 1-based; 0: there are no more
	depth int
	held  bool // its body counts as held
}

func (p *pack) newWorker(workers int) *worker {
	return &worker{
		entries: entries{pack: p}, hash: p.newHasher(), checker: p.newChecker(), spill: spill{dir: p.options.Dir},
		mayHold: maxHeld / int64(workers),
	}
}

func (w *worker) close() { w.spill.close() }

// tree resolves all deltas on a whole object, depth first. A base is dropped before its last delta's own deltas are looked
// at, so that a chain of any length needs memory for two objects only.
func (w *worker) tree(ctx context.Context, root int) error {
	b, err := w.whole(root)
	if err != nil {
		return err
	}
	w.stack = append(w.stack[:0], frame{body: b, kind: w.table.kind(root), next: w.table.head(root)})
	for len(w.stack) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := w.step(); err != nil {
			return err
		}
	}
	return nil
}

// step resolves one delta of the object on top of the stack.
func (w *worker) step() error {
	top := &w.stack[len(w.stack)-1]
	i, kind, depth := int(top.next-1), top.kind, top.depth+1
	if depth > w.options.Limits.Depth {
		return refuse("a chain of deltas is longer than %d", w.options.Limits.Depth)
	}
	top.next = w.table.next(i) // it lies where the name will be
	b, err := w.apply(top.body, i, kind)
	if err != nil {
		return w.fail(i, err)
	}
	w.table.adopt(i, w.groups.take(w.table.id(i)))
	if top.next == 0 {
		w.drop(top)
		w.stack = w.stack[:len(w.stack)-1]
	}
	head := w.table.head(i)
	if head == 0 {
		w.release(b)
		return nil
	}
	if err := w.hold(); err != nil {
		return err
	}
	w.stack = append(w.stack, frame{body: b, kind: kind, next: head, depth: depth})
	return nil
}

func (w *worker) fail(i int, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.What == "" {
		return &Error{What: fmt.Sprintf("delta at offset %d", w.table.offset(i)), Why: e.Why}
	}
	return err
}

// hold makes the object on top of the stack wait while another's deltas are resolved: on the disk, if much waits already.
func (w *worker) hold() error {
	if len(w.stack) == 0 {
		return nil
	}
	top := &w.stack[len(w.stack)-1]
	if top.held || top.body.file != nil {
		return nil
	}
	if w.held+top.body.size <= w.mayHold {
		w.held += top.body.size
		top.held = true
		return nil
	}
	b, to, err := w.spill.take(top.body.size)
	if err != nil {
		return err
	}
	if _, err := to.Write(top.body.mem); err != nil {
		return fmt.Errorf("store base: %w", err)
	}
	w.release(top.body)
	top.body = b
	return nil
}

func (w *worker) drop(f *frame) {
	if f.held {
		w.held -= f.body.size
	}
	w.release(f.body)
}

func (w *worker) release(b body) {
	if b.file != nil {
		w.spill.give(b)
	} else {
		w.buffers.give(b.mem)
	}
}
