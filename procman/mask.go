package procman

import "hop3/procman/shim"

// Uncut says how much of b can be parted from what follows so that none of the texts is cut in two.
func Uncut(texts []string, b []byte) int { return shim.Uncut(texts, b) }
