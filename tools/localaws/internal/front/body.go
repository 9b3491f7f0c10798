package front

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// BodyError returns what to tell of an error of json.Unmarshal, with a body of
// size bytes; nil for none. The messages are our own: those of the library may
// quote the body, which holds data.
func BodyError(err error, size int) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return fmt.Errorf("the body is not JSON: fault at byte %d of %d", syntax.Offset, size)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s has the wrong type", Clip(kind.Field))
	}
	return errors.New("the body does not fit the operation")
}

// Clip returns the beginning of what a client sent, for a message.
func Clip(value string) string {
	if len(value) <= 200 {
		return value
	}
	return strings.ToValidUTF8(value[:200], "") + "..."
}
