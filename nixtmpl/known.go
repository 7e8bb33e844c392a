package nixtmpl

import "hop3/detect"

// KnownHashes returns the hashes of p's fixed outputs that earlier builds
// found, for [RenderOptions.Hashes].
func (b *Builder) KnownHashes(p detect.Plan, o RenderOptions) (map[string]string, error) {
	fixed, err := FixedOutputs(p, o)
	if err != nil {
		return nil, err
	}
	return b.Hashes.lookup(fixed)
}
