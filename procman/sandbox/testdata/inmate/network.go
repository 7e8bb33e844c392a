package main

import (
	"fmt"
	"net"
)

// listen answers each connection to a port with a text.
func listen(args []string) {
	l, err := net.Listen("tcp", "0.0.0.0:"+args[0])
	check(err)
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		check(err)
		fmt.Fprint(c, args[1])
		c.Close()
	}
}
