// Go's net/http: `go run client.go`; asks as python_clients.py does.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	pem, err := os.ReadFile(os.Getenv("CA"))
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		// Go resolves names by itself, and knows no *.localhost.
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
		},
	}
	request, err := http.NewRequest("GET", os.Getenv("URL"), nil)
	if err != nil {
		panic(err)
	}
	if agent := os.Getenv("USER_AGENT"); agent != "" {
		request.Header.Set("User-Agent", agent)
	}
	if cookie := os.Getenv("COOKIE"); cookie != "" {
		request.Header.Set("Cookie", cookie)
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		panic(err)
	}
	fmt.Println(answer.StatusCode)
}
