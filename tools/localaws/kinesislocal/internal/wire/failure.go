package wire

import (
	"errors"
	"net/http"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

// The exceptions that this package returns itself.
const (
	internalFailure        = "InternalFailure"
	serializationException = "SerializationException"
	unknownOperation       = "UnknownOperationException"
	validationException    = string(core.ValidationFailure)
	invalidArgument        = string(core.InvalidArgument)
	dryRunException        = "DryRunOperationException"
)

// failure is an exception that a client gets.
type failure struct{ code, message string }

func (f *failure) Error() string { return f.code + ": " + f.message }

func (f *failure) status() int {
	if f.code == internalFailure {
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// errorBody is a failure in JSON and CBOR.
type errorBody struct {
	Type    string `json:"__type"`
	Message string `json:"message"`
}

// asFailure converts any error.
func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	var e *core.Error
	if errors.As(err, &e) {
		return &failure{string(e.Code), e.Message}
	}
	return &failure{internalFailure, err.Error()}
}
