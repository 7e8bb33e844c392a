// Package greet holds what the programs of the workspace share.
package greet

// Page is what the app answers with.
const Page = "hello from go, version 1\n"
