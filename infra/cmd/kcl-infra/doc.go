// Command kcl-infra creates, shows, repairs and deletes the AWS resources of an application
// of the Kinesis Client Library (KCL) 2 or 3: its streams, its DynamoDB tables with their
// leases, and its fan-out consumers. It also prints the IAM policies that the application
// needs.
//
//	kcl-infra create --application orders --stream-name orders
//	kcl-infra leases --application orders --stream-name orders --watch
//
// Results go to standard output, progress and errors to standard error. The exit status is
// 0 on success, 1 if something failed or was refused, and 2 for wrong usage.
package main
