// Package kcl has the format of KCL's tables in DynamoDB: the tables of each Layout, their
// rows, and the first lease of a shard. It follows the source of KCL 2.5.4, 3.1.3 and
// 3.5.1, so that KCL accepts tables and leases that this module creates.
//
//	tables := kcl.TablesOf("orders").InLayout(kcl.KCL3)
//	leases, err := kcl.FirstLeases(shards, kcl.Position{Kind: kcl.Latest}, "", kcl.KCL3)
package kcl

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Names of attributes.
const (
	LeaseKey      = "leaseKey"
	LeaseOwner    = "leaseOwner"
	LeaseCounter  = "leaseCounter"
	EntityType    = "entityType" // only of KCL 3.5
	StateKey      = "key"
	WorkerID      = "wid"
	LastUpdate    = "lut" // seconds since 1970
	LockOwner     = "ownerName"
	LockVersion   = "recordVersionNumber"
	LockReleased  = "isReleased"
	LockDuration  = "leaseDuration" // milliseconds
	OwnerIndex    = "LeaseOwnerToLeaseKeyIndex"
	LeaseSwitches = "ownerSwitchesSinceCheckpoint"
	Checkpoint    = "checkpoint"
	CheckpointSub = "checkpointSubSequenceNumber"
	// CheckpointOwner is the worker that is handing the lease over.
	CheckpointOwner = "checkpointOwner"
	// The pending checkpoint is a checkpoint that a worker has prepared.
	PendingCheckpoint    = "pendingCheckpoint"
	PendingCheckpointSub = "pendingCheckpointSubSequenceNumber"
	PendingState         = "pendingCheckpointState"
	// Only leases of an application with several streams have StreamID and ShardID.
	StreamID       = "streamName" // the stream's identifier, not its name
	ShardID        = "shardId"
	parentShardIDs = "parentShardId"
	startHashKey   = "startingHashKey"
	endHashKey     = "endingHashKey"
)

// ErrNotKCL is the error for a table that has the name of one of KCL's tables but another
// key.
var ErrNotKCL = errors.New("is not a table of KCL")

// The names of an application's tables begin with its name. DynamoDB allows 3 to 255
// characters, and the longest suffix has 18.
var validApplication = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,237}$`)

// ValidApplication reports whether name can be the name of an application, and so of its
// tables.
func ValidApplication(name string) bool { return validApplication.MatchString(name) }

// Table is a table of an application.
type Table struct {
	Name string
	// Key is the name of the only key attribute, which is a string.
	Key string
	// Index is whether the table has the index OwnerIndex.
	Index bool
}

// Tables are the tables that an application may have, with KCL's default names. The Layout
// determines which of them exist.
type Tables struct {
	Leases, CoordinatorState, WorkerMetricStats Table
}

// TablesOf returns the tables of an application.
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

// CreateInput returns the request that creates the table, in on-demand mode, which is
// KCL's default. KCL itself adds the index in a second step, and polls for it every 10
// seconds. Creating the index with the table saves that time.
func (t Table) CreateInput() *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{
		TableName:            aws.String(t.Name),
		BillingMode:          types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{hashKey(t.Key)},
		AttributeDefinitions: []types.AttributeDefinition{stringAttribute(t.Key)},
	}
	if t.Index {
		in.AttributeDefinitions = append(in.AttributeDefinitions, stringAttribute(LeaseOwner))
		in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
			IndexName: aws.String(OwnerIndex),
			KeySchema: []types.KeySchemaElement{
				hashKey(LeaseOwner),
				{AttributeName: aws.String(LeaseKey), KeyType: types.KeyTypeRange},
			},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}}
	}
	return in
}

// Check returns an error that wraps ErrNotKCL if the table that was found, or its index,
// has another key than KCL's. A lease table without the index is KCL's too: KCL 2 creates
// it so, and KCL 3 adds the index.
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

// IndexStatus returns the status of a table's index OwnerIndex, and "" if there is none.
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

func hashKey(name string) types.KeySchemaElement {
	return types.KeySchemaElement{AttributeName: aws.String(name), KeyType: types.KeyTypeHash}
}

func stringAttribute(name string) types.AttributeDefinition {
	return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS}
}
