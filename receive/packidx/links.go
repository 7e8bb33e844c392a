package packidx

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// want says what a link must lead to: a kind, and for some files that their content is looked at.
type want byte

const (
	wantModules    want = 8  // a .gitmodules
	wantAttributes want = 16 // a .gitattributes
)

func (w want) kind() Kind { return Kind(w & 7) }

// link is one object's need for another.
type link struct {
	id   ID
	want want // 0: an empty slot
}

const (
	linkBytes = 21

	// maxLinks is how many links are kept in memory before they are written out; what a tree has in common with those
	// before it is thereby seen once.
	maxLinks = 1 << 16
)

// linkSet gathers links until all names are known.
type linkSet struct {
	dir string

	mu    sync.Mutex
	slots []link // twice as many as links at least; their number is a power of two
	used  int
	file  *os.File // those that found no room
}

func newLinkSet(dir string) *linkSet { return &linkSet{dir: dir, slots: make([]link, 1<<10)} }

func (s *linkSet) close() {
	if s.file != nil {
		s.file.Close() // nobody reads it any more
	}
}

func (s *linkSet) add(links []link) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range links {
		if !s.put(l) || s.used*2 <= len(s.slots) {
			continue
		}
		if err := s.grow(); err != nil {
			return err
		}
	}
	return nil
}

// put says whether the link is new.
func (s *linkSet) put(l link) bool {
	at := int(l.id[4])<<16 | int(l.id[5])<<8 | int(l.id[6])
	for ; ; at++ {
		slot := &s.slots[at&(len(s.slots)-1)]
		if *slot == l {
			return false
		}
		if slot.want == 0 {
			*slot = l
			s.used++
			return true
		}
	}
}

func (s *linkSet) grow() error {
	if s.used >= maxLinks {
		return s.flush()
	}
	old := s.slots
	s.slots, s.used = make([]link, 2*len(old)), 0
	for _, l := range old {
		if l.want != 0 {
			s.put(l)
		}
	}
	return nil
}

func (s *linkSet) flush() (err error) {
	if s.file == nil {
		if s.file, err = unlinked(s.dir); err != nil {
			return err
		}
	}
	out := make([]byte, 0, s.used*linkBytes)
	for _, l := range s.slots {
		if l.want != 0 {
			out = append(append(out, l.id[:]...), byte(l.want))
		}
	}
	clear(s.slots)
	s.used = 0
	if _, err := s.file.Write(out); err != nil {
		return fmt.Errorf("store links: %w", err)
	}
	return nil
}

// each calls f for every link, for some more than once.
func (s *linkSet) each(f func(link) error) error {
	for _, l := range s.slots {
		if l.want == 0 {
			continue
		}
		if err := f(l); err != nil {
			return err
		}
	}
	if s.file == nil {
		return nil
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	buf := make([]byte, 3<<10*linkBytes)
	for {
		n, err := io.ReadFull(s.file, buf)
		for b := buf[:n]; len(b) >= linkBytes; b = b[linkBytes:] {
			if err := f(link{ID(b[:20]), want(b[20])}); err != nil {
				return err
			}
		}
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read links: %w", err)
		}
	}
}

// linkCheck finds out whether what is linked to is there and what it should be.
type linkCheck struct {
	*pack
	entries entries
	zlib    inflater
	outside []link
}

// outsideBatch is how many objects the repository is asked for at once.
const outsideBatch = 4096

func (p *pack) checkLinks() error {
	c := &linkCheck{pack: p, entries: entries{pack: p}}
	p.whole = true
	if err := p.links.each(c.link); err != nil {
		return err
	}
	return c.ask()
}

func (c *linkCheck) link(l link) error {
	i, ok := c.order.find(l.id)
	if !ok {
		c.whole = false
		if c.outside = append(c.outside, l); len(c.outside) < outsideBatch {
			return nil
		}
		return c.ask()
	}
	if err := c.isA(l, c.table.kind(i)); err != nil || l.want < wantModules {
		return err
	}
	data, err := c.entries.content(&c.zlib, i)
	if err != nil {
		return err
	}
	return checkFile(l, data)
}

func (c *linkCheck) isA(l link, kind Kind) error {
	switch kind {
	case l.want.kind():
		return nil
	case None:
		return refuse("did not receive expected object %s", l.id)
	}
	return refuse("object %s: expected type %s, found %s", l.id, l.want.kind(), kind)
}

// ask looks for objects in the repository.
func (c *linkCheck) ask() error {
	if len(c.outside) == 0 {
		return nil
	}
	if c.options.Store == nil {
		return c.isA(c.outside[0], None)
	}
	ids := make([]ID, len(c.outside))
	for i, l := range c.outside {
		ids[i] = l.id
	}
	kinds, err := c.options.Store.Kinds(ids)
	if err != nil {
		return fmt.Errorf("look for objects: %w", err)
	}
	for i, l := range c.outside {
		if err := c.isA(l, kinds[i]); err != nil {
			return err
		}
		if l.want < wantModules {
			continue
		}
		if err := c.stored(l); err != nil {
			return err
		}
	}
	c.outside = c.outside[:0]
	return nil
}

// stored checks a file that the repository has already: it may have been an innocent one under its old name.
func (c *linkCheck) stored(l link) error {
	_, size, content, err := c.options.Store.Open(l.id)
	if err != nil {
		return fmt.Errorf("read object: %w", err)
	}
	if size > maxParsed {
		return tooLarge(size)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(content, data); err != nil {
		return fmt.Errorf("read object: %w", err)
	}
	return checkFile(l, data)
}
