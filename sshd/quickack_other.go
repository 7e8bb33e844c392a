//go:build !linux

package sshd

import "net"

func acknowledgeAtOnce(net.Conn) {}
