package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// maxBody is how long a request's body may be, in bytes.
const maxBody = 64 << 10

// readBody returns the request's body.
func readBody(c *gin.Context) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, &problem{http.StatusRequestEntityTooLarge, "the body is too long"}
	case err != nil:
		return nil, invalid("the body could not be read")
	}
	return body, nil
}

// decode reads one JSON object into the struct at v. Fields that the object
// does not name stay as they are; a field that the struct does not have is an
// error.
func decode(body []byte, v any) error {
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return invalid("the body is not a JSON object")
	}
	if !utf8.Valid(body) {
		return invalid("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		var p *problem
		if errors.As(err, &p) {
			return p
		}
		return invalid("the body: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("the body continues after the JSON object")
	}
	return nil
}

// noBody refuses a request with a body.
func noBody(c *gin.Context) error {
	body, err := readBody(c)
	if err != nil || len(bytes.TrimSpace(body)) == 0 {
		return err
	}
	return decode(body, &struct{}{})
}
