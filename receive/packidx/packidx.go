// Package packidx takes one git pack from the wire, checks every object of it and writes pack and index into a folder, as
// git index-pack --strict --fix-thin does, without a child process and in an amount of memory that does not depend on the
// pack.
//
// The parts follow the pack: the scanner reads it once, writes it to disk as it comes and hashes what is whole; the
// resolver, one goroutine for each processor, applies the deltas base by base, depth first; bases that a thin pack left out
// are appended; the checker applies git's fsck rules to each commit, tree and tag when its content is at hand, and notes
// what it links to; when all names are known, each link must lead to an object of the pack or of the repository.
//
// What stays in memory for each object is 36 bytes outside of Go's heap. File contents are hashed while they are inflated,
// and a base that is too large, or that would have to be kept while too many others are, lies in an unlinked file.
// Everything that a pack announces is compared with a limit before it is believed.
//
// The formats are those of gitformat-pack(5); names are SHA-1, computed by a hash that notices collision attacks.
package packidx

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/pjbgf/sha1cd"
)

// ID names an object.
type ID [20]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Kind is what an object is, by its number in a pack.
type Kind byte

// The kinds of objects. None is that of an object that is not there.
const (
	None   Kind = 0
	Commit Kind = 1
	Tree   Kind = 2
	Blob   Kind = 3
	Tag    Kind = 4

	offsetDelta Kind = 6
	refDelta    Kind = 7
)

func (k Kind) String() string {
	return [...]string{"nothing", "commit", "tree", "blob", "tag", "", "delta", "delta"}[k&7]
}

// KindOf is the inverse of String for whole objects; None for anything else.
func KindOf(name string) Kind {
	for k := Commit; k <= Tag; k++ {
		if k.String() == name {
			return k
		}
	}
	return None
}

// Store is the repository that a pack is added to.
type Store interface {
	// Kinds says what each of ids is, None for those that are not there.
	Kinds(ids []ID) ([]Kind, error)
	// Open returns an object's kind, size and content, which must be read before the next call. The kind is None if
	// the object is not there.
	Open(id ID) (Kind, int64, io.Reader, error)
}

// Limits bound what one pack may cost. The zero value of a field stands for its default.
type Limits struct {
	Objects     uint32 // that the header may announce, default 1,000,000
	ObjectBytes int64  // of one object, default 512 MiB
	TotalBytes  int64  // of all objects together, inflated, default 16 GiB: half a minute of hashing
	Depth       int    // of a chain of deltas, default 4095, which is git's own when it writes packs
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Objects:     cmp.Or(l.Objects, 1_000_000),
		ObjectBytes: cmp.Or(l.ObjectBytes, 512<<20),
		TotalBytes:  cmp.Or(l.TotalBytes, 16<<30),
		Depth:       cmp.Or(l.Depth, 4095),
	}
}

// Options are what Index needs to know beside the pack.
type Options struct {
	Dir     string // where pack-ID.pack and pack-ID.idx are written, and what is needed meanwhile
	Store   Store  // nil: there is no repository, the pack must hold everything
	Shallow []ID   // commits that may lack their parents
	Limits  Limits
	Workers int // that resolve deltas, default GOMAXPROCS, at most 8

	// hash, where a test sets it, makes a hash of the one that is used otherwise.
	hash func(sha1cd.CollisionResistantHash) sha1cd.CollisionResistantHash
}

// Result is an accepted pack.
type Result struct {
	Pack    ID     // its checksum, which is in the names of its files
	Objects uint32 // in it, appended bases included
	// Whole says that each object that the pack's objects link to is in the pack.
	Whole bool

	table *table
	order *order
}

// Has says whether the pack, as it came, has an object. It works until Close.
func (r *Result) Has(id ID) bool { _, ok := r.order.find(id); return ok }

// Close frees what Has needs.
func (r *Result) Close() { r.table.free() }

// Index reads exactly one pack from r and leaves pack and index in the folder, not synced to the disk. When it fails it
// may leave anything there, and what is left of the pack unread. A Read that has begun must end by itself when ctx does.
func Index(ctx context.Context, r io.Reader, o Options) (res *Result, err error) {
	o.Limits = o.Limits.withDefaults()
	f, err := os.CreateTemp(o.Dir, "tmp_pack_")
	if err != nil {
		return nil, fmt.Errorf("store pack: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	p := &pack{options: o, file: f, links: newLinkSet(o.Dir)}
	defer func() {
		p.links.close()
		p.kept.free()
		if err != nil {
			p.table.free()
			res = nil
		}
	}()
	if err := p.run(ctx, r); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return &Result{
		Pack: p.sum, Objects: uint32(p.table.len()), Whole: p.whole && p.appended == 0, table: p.table, order: p.order,
	}, nil
}

// pack is one pack on its way through the steps of Index.
type pack struct {
	options Options
	file    *os.File
	links   *linkSet

	table    *table
	kept     arena // inflated deltas, so that they need not be inflated twice
	groups   refGroups
	deltas   int          // in the pack
	resolved atomic.Int64 // of them
	end      int64        // of the last entry in the file
	sum      ID
	appended int // bases that the pack left out
	whole    bool
	bigTree  sync.Mutex // held while a tree of more than maxBody is in memory
	order    *order
}

func (p *pack) run(ctx context.Context, r io.Reader) error {
	if err := p.scan(ctx, r); err != nil {
		return err
	}
	if err := p.resolve(ctx); err != nil {
		return err
	}
	if err := p.complete(ctx); err != nil {
		return err
	}
	if err := p.sort(); err != nil {
		return err
	}
	if err := p.checkLinks(); err != nil {
		return err
	}
	return p.install()
}

// install gives pack and index their names.
func (p *pack) install() error {
	name := filepath.Join(p.options.Dir, "pack-"+p.sum.String())
	if err := writeIndex(name+".idx", p.table, p.order, p.sum); err != nil {
		return err
	}
	if err := p.file.Chmod(0o444); err != nil {
		return fmt.Errorf("store pack: %w", err)
	}
	if err := os.Rename(p.file.Name(), name+".pack"); err != nil {
		return fmt.Errorf("store pack: %w", err)
	}
	return nil
}

// Error refuses a pack for what is in it.
type Error struct {
	What string // "object 1a2b… at offset 1234", "" = the pack
	Why  string // in git's words where git has any
}

func (e *Error) Error() string {
	if e.What == "" {
		return e.Why
	}
	return e.What + ": " + e.Why
}

func refuse(format string, args ...any) error { return &Error{Why: fmt.Sprintf(format, args...)} }
