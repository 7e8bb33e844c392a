// Package greet holds the line that the app answers with.
package greet

// Version is what / answers.
const Version = "hello from go with chi, version 1"
