// Command worker says the greeting every minute.
package main

import (
	"log"
	"time"

	"example.com/greet"
)

func main() {
	for range time.Tick(time.Minute) {
		log.Print(greet.Page)
	}
}
