package core

import (
	"errors"
	"fmt"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/expr"
)

// Code is the name of an exception, as clients see it.
type Code string

// The exceptions that this package returns.
const (
	BackupsUnavailable   Code = "ContinuousBackupsUnavailableException"
	ConditionFailed      Code = "ConditionalCheckFailedException"
	IdempotentMismatch   Code = "IdempotentParameterMismatchException"
	LimitExceeded        Code = "LimitExceededException"
	ResourceInUse        Code = "ResourceInUseException"
	ResourceNotFound     Code = "ResourceNotFoundException"
	TransactionCancelled Code = "TransactionCanceledException"
	ValidationFailure    Code = "ValidationException"
)

// Error is an exception of the service.
type Error struct {
	Code    Code
	Message string
	// Item is the item that failed a condition, if the request asked for it.
	Item attr.Map
	// Reasons are the reasons of a cancelled transaction, one for each action.
	Reasons []Reason
}

// Reason is why an action of a transaction failed. Its code is "None" if it did not
// fail.
type Reason struct {
	Code, Message string
	Item          attr.Map
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalidf(format string, args ...any) *Error {
	return errorf(ValidationFailure, format, args...)
}

// AsError converts any error, such as those of packages attr and expr, to an
// exception.
func AsError(err error) *Error {
	var e *Error
	var value *attr.Error
	var expression *expr.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &value):
		return invalidf("%s", value.Message)
	case errors.As(err, &expression):
		return invalidf("%s", expression.Message)
	}
	return errorf("InternalServerError", "%v", err)
}
