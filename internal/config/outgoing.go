package config

import "fmt"

// Outgoing is a rule of outgoing traffic: one of the words "open" and "closed",
// or places such as "10.0.0.0/8" and "192.0.2.7:5432". Package netns reads it.
type Outgoing []string

// UnmarshalTOML reads a word or a list.
func (o *Outgoing) UnmarshalTOML(v any) error {
	*o = nil
	switch v := v.(type) {
	case string:
		*o = Outgoing{v}
		return nil
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return fmt.Errorf("%v is not a place: want text like \"10.0.0.0/8\" or \"192.0.2.7:5432\"", e)
			}
			*o = append(*o, s)
		}
		return nil
	}
	return fmt.Errorf("%v is not a rule of outgoing traffic: want \"open\", \"closed\" or a list of places", v)
}
