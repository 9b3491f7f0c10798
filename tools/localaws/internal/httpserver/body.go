package httpserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// BodyError converts an error of json.Unmarshal for a body of size bytes; nil stays
// nil. The messages of json.Unmarshal may quote the body, which has data.
func BodyError(err error, size int) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return fmt.Errorf("the body is not JSON: error at byte %d of %d", syntax.Offset, size)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s has the wrong type", Truncate(kind.Field))
	}
	return errors.New("the body does not fit the operation")
}

// Truncate shortens a value that a client sent, for a message.
func Truncate(value string) string {
	if len(value) <= 200 {
		return value
	}
	return strings.ToValidUTF8(value[:200], "") + "..."
}
