package receive

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// maxAsked is how many sizes are asked for at once: the questions and the answers fit into a pipe, so that neither side waits.
const maxAsked = 512

// measure asks for the sizes of those entries that have none yet.
func measure(ctx context.Context, v view, list []*entry) error {
	cat, err := startCat(ctx, v, "--batch-check")
	if err != nil {
		return err
	}
	defer cat.close()
	return cat.measure(list)
}

// fits refuses a tree that exceeds the limits.
func (t *listing) fits(ctx context.Context, v view, l Limits) error {
	if len(t.order) > l.Files {
		return errTreeSize
	}
	if err := measure(ctx, v, t.order); err != nil {
		return err
	}
	var sum int64
	for _, e := range t.order {
		if sum += e.size.Load(); sum > l.TreeBytes {
			return errTreeSize
		}
	}
	return nil
}

// beside are the file of that path and those that follow it in its folder, as many as are asked for at once: who asks for
// one of a folder asks for others.
func (t *listing) beside(name string) []*entry {
	parent := t.folders[path.Dir(name)]
	i, _ := parent.child(path.Base(name))
	return parent.children[i:min(i+maxAsked, len(parent.children))]
}

// measure asks a --batch-check child for the sizes of those that have none yet.
func (c *catFile) measure(list []*entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(e *entry) bool { return e.size.Load() != unknown })
	for part := range slices.Chunk(list, maxAsked) {
		if err := c.measurePart(part); err != nil {
			c.err = fmt.Errorf("read sizes: %w", err)
			return c.err
		}
	}
	return nil
}

func (c *catFile) measurePart(part []*entry) error {
	var ask strings.Builder
	for _, e := range part {
		ask.WriteString(e.id + "\n")
	}
	if _, err := io.WriteString(c.in, ask.String()); err != nil {
		return err
	}
	for _, e := range part {
		line, err := c.out.ReadString('\n')
		if err != nil {
			return early(err)
		}
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != e.id || f[1] != "blob" {
			return fmt.Errorf("unexpected answer %q", line)
		}
		n, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return err
		}
		e.size.Store(n)
	}
	return nil
}
