// Kcl-infra makes, shows, repairs and removes the AWS resources of an application of
// the Kinesis Client Library 2 or 3: its streams, the DynamoDB tables and the leases in
// them, the fan-out consumers; and it writes the IAM policies that the consumer needs.
//
// What it made or found goes to standard output, progress and errors to standard
// error. The exit status is 0 when all is as asked, 1 when something failed or was
// refused, 2 for a command line that makes no sense.
package main
