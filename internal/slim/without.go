//go:build !slim

package slim

const program = ""
