// Package kcl knows what KCL keeps in DynamoDB, by the source of 2.5.4, 3.1.3 and
// 3.5.1: the tables of each Layout, their rows, and the first lease of a shard, so that
// KCL takes what this module makes as its own.
package kcl

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Names of attributes that the tables are keyed by, and of those that tell
// whether the application runs.
const (
	LeaseKey      = "leaseKey"
	LeaseOwner    = "leaseOwner"
	LeaseCounter  = "leaseCounter"
	EntityType    = "entityType" // only of KCL 3.5
	StateKey      = "key"
	WorkerID      = "wid"
	LastUpdate    = "lut" // seconds since the epoch
	LockOwner     = "ownerName"
	LockVersion   = "recordVersionNumber"
	LockReleased  = "isReleased"
	LockDuration  = "leaseDuration" // milliseconds
	OwnerIndex    = "LeaseOwnerToLeaseKeyIndex"
	LeaseSwitches = "ownerSwitchesSinceCheckpoint"
	Checkpoint    = "checkpoint"
	CheckpointSub = "checkpointSubSequenceNumber"
	// CheckpointOwner is the worker that a lease is being handed over from.
	CheckpointOwner = "checkpointOwner"
	// The pending checkpoint is one that a worker has prepared.
	PendingCheckpoint    = "pendingCheckpoint"
	PendingCheckpointSub = "pendingCheckpointSubSequenceNumber"
	PendingState         = "pendingCheckpointState"
	// StreamID and ShardID are only in leases of an application of several streams.
	StreamID       = "streamName" // a stream's identifier, not its name
	ShardID        = "shardId"
	parentShardIDs = "parentShardId"
	startHashKey   = "startingHashKey"
	endHashKey     = "endingHashKey"
)

// ErrNotKCL says that a table bears the name of one of KCL's but is none.
var ErrNotKCL = errors.New("is not a table of KCL")

// An application's name begins the names of its tables, of which DynamoDB takes
// 3 to 255 characters; the longest suffix has 18.
var validApplication = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,237}$`)

// ValidApplication tells whether tables can be named after the application.
func ValidApplication(name string) bool { return validApplication.MatchString(name) }

// Table is a table of an application.
type Table struct {
	Name string
	// Key is the only key attribute, a string.
	Key string
	// Index tells whether the table has the index OwnerIndex.
	Index bool
}

// Tables are the tables that an application may have, with the names that KCL gives
// them unless its properties say otherwise. Which it has is its Layout.
type Tables struct {
	Leases, CoordinatorState, WorkerMetricStats Table
}

// TablesOf names the tables of an application.
func TablesOf(application string) Tables {
	return Tables{
		Leases:            Table{Name: application, Key: LeaseKey, Index: true},
		CoordinatorState:  Table{Name: application + "-CoordinatorState", Key: StateKey},
		WorkerMetricStats: Table{Name: application + "-WorkerMetricStats", Key: WorkerID},
	}
}

// All returns the tables, the lease table first.
func (t Tables) All() []Table {
	return []Table{t.Leases, t.CoordinatorState, t.WorkerMetricStats}
}

// CreateInput is the request that makes the table: on demand, as KCL does unless
// its properties say otherwise. KCL adds the index in a second step, and then
// polls for it every 10 seconds: to make it here saves that.
func (t Table) CreateInput() *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{
		TableName:            aws.String(t.Name),
		BillingMode:          types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{hash(t.Key)},
		AttributeDefinitions: []types.AttributeDefinition{text(t.Key)},
	}
	if t.Index {
		in.AttributeDefinitions = append(in.AttributeDefinitions, text(LeaseOwner))
		in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
			IndexName: aws.String(OwnerIndex),
			KeySchema: []types.KeySchemaElement{
				hash(LeaseOwner),
				{AttributeName: aws.String(LeaseKey), KeyType: types.KeyTypeRange},
			},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}}
	}
	return in
}

// Check returns an error that wraps ErrNotKCL unless the table that was found
// has the key that KCL gives it, and, where it has the index, that index's keys.
// A lease table without the index is KCL's too: KCL 2 makes it so, KCL 3 adds
// the index.
func (t Table) Check(found *types.TableDescription) error {
	if got, want := describeKeys(found.KeySchema, found.AttributeDefinitions), t.Key+" (HASH, S)"; got != want {
		return fmt.Errorf("table %s %w: its key is %s, KCL's is %s", t.Name, ErrNotKCL, got, want)
	}
	if !t.Index {
		return nil
	}
	index := ownerIndex(found)
	if index == nil {
		return nil
	}
	want := LeaseOwner + " (HASH, S), " + LeaseKey + " (RANGE, S)"
	if got := describeKeys(index.KeySchema, found.AttributeDefinitions); got != want {
		return fmt.Errorf("table %s %w: the key of its index %s is %s, KCL's is %s", t.Name, ErrNotKCL, OwnerIndex, got, want)
	}
	return nil
}

// IndexStatus returns the status of a table's index OwnerIndex, "" without one.
func IndexStatus(found *types.TableDescription) types.IndexStatus {
	if index := ownerIndex(found); index != nil {
		return index.IndexStatus
	}
	return ""
}

func ownerIndex(found *types.TableDescription) *types.GlobalSecondaryIndexDescription {
	for i := range found.GlobalSecondaryIndexes {
		if aws.ToString(found.GlobalSecondaryIndexes[i].IndexName) == OwnerIndex {
			return &found.GlobalSecondaryIndexes[i]
		}
	}
	return nil
}

func describeKeys(keys []types.KeySchemaElement, attributes []types.AttributeDefinition) string {
	kind := map[string]types.ScalarAttributeType{}
	for _, a := range attributes {
		kind[aws.ToString(a.AttributeName)] = a.AttributeType
	}
	line := ""
	for i, k := range keys {
		if i > 0 {
			line += ", "
		}
		name := aws.ToString(k.AttributeName)
		line += fmt.Sprintf("%s (%s, %s)", name, k.KeyType, kind[name])
	}
	return line
}

func hash(name string) types.KeySchemaElement {
	return types.KeySchemaElement{AttributeName: aws.String(name), KeyType: types.KeyTypeHash}
}

func text(name string) types.AttributeDefinition {
	return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS}
}
