package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"

	"github.com/fxamacker/cbor/v2"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
)

// codec decodes and encodes bodies. The CBOR library uses the json tags of the
// shapes too.
type codec interface {
	contentType() string
	decode(body []byte, v any) error
	encode(v any) ([]byte, error)
}

// codecFor returns the codec for a Content-Type header.
func codecFor(header string) (codec, bool) {
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		return nil, false
	}
	switch media {
	case "application/x-amz-json-1.1", "application/json":
		return jsonCodec{media}, true
	case "application/x-amz-cbor-1.1":
		return cborCodec{}, true
	}
	return nil, false
}

// jsonCodec is AWS JSON 1.1: blobs in base64, timestamps as seconds.
type jsonCodec struct{ media string }

func (c jsonCodec) contentType() string { return c.media }

func (jsonCodec) decode(body []byte, v any) error {
	err := json.Unmarshal(body, v)
	if errors.Is(err, errTimestamp) {
		return errTimestamp
	}
	return httpserver.BodyError(err, len(body))
}

func (jsonCodec) encode(v any) ([]byte, error) { return json.Marshal(v) }

// cborCodec is AWS CBOR 1.1, as the SDK for Java encodes it: blobs as byte
// strings, timestamps as milliseconds.
type cborCodec struct{}

var cborDecoder, cborEncoder = cborModes()

func cborModes() (cbor.DecMode, cbor.EncMode) {
	d, err := cbor.DecOptions{MaxNestedLevels: 16}.DecMode()
	if err != nil {
		panic(err) // the options are valid
	}
	e, err := cbor.EncOptions{}.EncMode()
	if err != nil {
		panic(err) // the options are valid
	}
	return d, e
}

func (cborCodec) contentType() string { return "application/x-amz-cbor-1.1" }

func (cborCodec) decode(body []byte, v any) error {
	err := cborDecoder.Unmarshal(body, v)
	var kind *cbor.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind) && kind.StructFieldName != "":
		return fmt.Errorf("%s has the wrong type", kind.StructFieldName)
	case errors.Is(err, errTimestamp):
		return errTimestamp
	}
	return errors.New("the body is not CBOR that fits the operation")
}

func (cborCodec) encode(v any) ([]byte, error) { return cborEncoder.Marshal(v) }
