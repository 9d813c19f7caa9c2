// An application that shows the user of the code in docs/applications.md. It listens on the unix socket that it is given.
package main

import (
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(IdentityOf(r))
	})
	log.Fatal(http.Serve(listener, DoorwardHeaders(show)))
}
