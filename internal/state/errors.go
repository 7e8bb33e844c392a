package state

import "fmt"

// NotFound says that a named thing does not exist.
type NotFound struct {
	Kind string // "app", "release", "key", "domain"
	Name string
	Near string // the nearest name that exists, "" if none is near
}

func (e *NotFound) Error() string { return fmt.Sprintf("no such %s: %s", e.Kind, e.Name) }

// Hint suggests the nearest name.
func (e *NotFound) Hint() string {
	if e.Near == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %s?", e.Near)
}

// Conflict says that something else is in the way.
type Conflict struct{ What, Mend string }

func (e *Conflict) Error() string { return e.What }

// Hint says what to do about it.
func (e *Conflict) Hint() string { return e.Mend }

// Invalid says that a value breaks a rule.
type Invalid struct{ What, Rule string }

func (e *Invalid) Error() string { return e.What }

// Hint states the rule.
func (e *Invalid) Hint() string { return e.Rule }
