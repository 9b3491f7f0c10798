package wire

import (
	"net/http"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/core"
)

// The exceptions that this package returns itself.
const (
	internalServerError    = "InternalServerError"
	serializationException = "SerializationException"
	throttling             = "ThrottlingException"
	throughputExceeded     = "ProvisionedThroughputExceededException"
	unknownOperation       = "UnknownOperationException"
)

// namespaces has the namespaces of exceptions that are not DynamoDB's own.
var namespaces = map[string]string{
	serializationException:         "com.amazon.coral.service#",
	throttling:                     "com.amazon.coral.availability#",
	unknownOperation:               "com.amazon.coral.service#",
	string(core.ValidationFailure): "com.amazon.coral.validate#",
}

func failure(code, message string) *core.Error {
	return &core.Error{Code: core.Code(code), Message: message}
}

func invalid(message string) *core.Error {
	return failure(string(core.ValidationFailure), message)
}

func status(e *core.Error) int {
	if e.Code == internalServerError {
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// errorBody is an exception in JSON.
type errorBody struct {
	Type                string               `json:"__type"`
	Message             string               `json:"message,omitzero"`
	TransactionMessage  string               `json:"Message,omitzero"` // capitalized in this exception only
	Item                map[string]attr.Wire `json:",omitzero"`
	CancellationReasons []cancellationReason `json:",omitzero"`
}

func bodyOf(e *core.Error) errorBody {
	namespace, ok := namespaces[string(e.Code)]
	if !ok {
		namespace = "com.amazonaws.dynamodb.v20120810#"
	}
	b := errorBody{Type: namespace + string(e.Code), Message: e.Message, Item: attr.MapToWire(e.Item)}
	if e.Reasons != nil {
		b.Message, b.TransactionMessage = "", e.Message
	}
	for _, r := range e.Reasons {
		b.CancellationReasons = append(b.CancellationReasons, cancellationReason{
			Code: &r.Code, Message: nilIfEmpty(r.Message), Item: attr.MapToWire(r.Item),
		})
	}
	return b
}

// constraints collects the violations of a request, in the words of AWS.
type constraints struct{ violations []string }

func (c *constraints) violate(value, member, must string) {
	c.violations = append(c.violations, "Value "+value+" at '"+member+"' failed to satisfy constraint: Member must "+must)
}

func (c *constraints) required(member string, present bool) {
	if !present {
		c.violate("null", member, "not be null")
	}
}

func (c *constraints) err() error {
	switch n := len(c.violations); n {
	case 0:
		return nil
	case 1:
		return invalid("1 validation error detected: " + c.violations[0])
	default:
		return invalid(itoa(n) + " validation errors detected: " + strings.Join(c.violations, "; "))
	}
}
