package core

import "fmt"

// Code is the name of an exception, as clients see it.
type Code string

// The exceptions that this package returns.
const (
	AccessDenied       Code = "AccessDeniedException"
	ExpiredIterator    Code = "ExpiredIteratorException"
	ExpiredNextToken   Code = "ExpiredNextTokenException"
	InvalidArgument    Code = "InvalidArgumentException"
	LimitExceeded      Code = "LimitExceededException"
	ResourceInUse      Code = "ResourceInUseException"
	ResourceNotFound   Code = "ResourceNotFoundException"
	ThroughputExceeded Code = "ProvisionedThroughputExceededException"
	ValidationFailure  Code = "ValidationException"
)

// Error is an exception of the service. This package returns no other errors. Its
// message never has record data.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
