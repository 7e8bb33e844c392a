package packages

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// NetworkError says that a server could not be reached or did not answer
// sensibly, after retries.
type NetworkError struct {
	URL string
	Err error
}

func (e *NetworkError) Error() string { return fmt.Sprintf("fetch %s: %v", e.URL, e.Err) }

// Unwrap returns the cause.
func (e *NetworkError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *NetworkError) Hint() string {
	return "check the machine's network and proxy settings (http_proxy, https_proxy), or name another mirror in server.toml"
}

// SignatureError says that a signed index or the keyring cannot be trusted.
// Nothing of it was used.
type SignatureError struct {
	What string // the file
	Err  error
}

func (e *SignatureError) Error() string { return fmt.Sprintf("verify %s: %v", e.What, e.Err) }

// Unwrap returns the cause.
func (e *SignatureError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *SignatureError) Hint() string {
	if errors.Is(e.Err, fs.ErrNotExist) {
		return "install the package debian-archive-keyring, or name a keyring file in server.toml"
	}
	return "the mirror may be broken, out of date or tampered with: update debian-archive-keyring, check the clock, or name another mirror in server.toml"
}

// GoneError says that a pinned file is not on the mirror any more (404 or 410),
// or is another file than the pinned one.
type GoneError struct {
	Name string
	URL  string
	Why  string
}

func (e *GoneError) Error() string { return fmt.Sprintf("fetch %s: %s (%s)", e.Name, e.Why, e.URL) }

// Hint says what to do about it.
func (e *GoneError) Hint() string {
	return "the set was locked again and the mirror still does not have the file: it is being updated or broken; try again later or name another mirror in server.toml"
}

// DiskFullError says that there is no room for the files.
type DiskFullError struct {
	Dir string
	Err error
}

func (e *DiskFullError) Error() string { return fmt.Sprintf("store packages in %s: %v", e.Dir, e.Err) }

// Unwrap returns the cause.
func (e *DiskFullError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *DiskFullError) Hint() string {
	return "the disk is full: free some space (nix-collect-garbage removes what no release needs) and try again"
}

// AddressError says that no address is known for a registry or mirror.
type AddressError struct {
	What   string // "the npm registry"
	Client string // the client that was asked: "npm"
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("find %s: %s names none on this machine", e.What, e.Client)
}

// Hint says what to do about it.
func (e *AddressError) Hint() string {
	return "name its address in server.toml, or install and configure " + e.Client
}

// VersionError says that a version is not in the set.
type VersionError struct {
	Stack, Version string
	Have           []string
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("find %s %s: the package set does not have it", e.Stack, e.Version)
}

// Hint says what to do about it.
func (e *VersionError) Hint() string {
	return "it has " + strings.Join(e.Have, ", ") + "; `hop3 packages update` looks for newer ones"
}

// diskError gives a full disk its own error and leaves others alone.
func diskError(dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &DiskFullError{Dir: dir, Err: err}
	}
	return err
}
