package resources

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/activity"
	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// lockDuration is KCL's lease duration of the leader lock. Leases are watched for that long,
// with or without a lock.
const lockDuration = 2 * time.Minute

// Unlock is a plan to release what dead workers hold.
type Unlock struct {
	app    *App
	leader kcl.Item // the lock to delete, or nil
	leases []heldLease
}

// heldLease is a lease and the attributes to remove, which have its dead owners.
type heldLease struct {
	lease  kcl.Item
	owners []string
}

// watchTime returns how long a worker may run without a sign. It is longer than that of
// package activity, because a worker that reports late, or a worker of KCL 2, may renew
// its leases less often. It is 0 if nothing has an owner.
func watchTime(first activity.Snapshot) time.Duration {
	watch := first.WatchTime()
	if watch > 0 {
		watch = max(watch, lockDuration, time.Duration(kcl.Int(first.Leader, kcl.LockDuration))*time.Millisecond)
	}
	return watch
}

// PlanUnlock watches the leader lock and the leases, for watchTime. It returns an error that
// wraps ErrRunning as soon as the lock is renewed.
func (a *App) PlanUnlock(ctx context.Context) (*Unlock, error) {
	leases := a.tables().Leases.Name
	table, err := a.describeTable(ctx, leases)
	if err != nil {
		return nil, err
	}
	rows, err := a.leaseRows(ctx, found{tables: map[string]*ddb.TableDescription{leases: table}})
	if err != nil {
		return nil, err
	}
	first := snapshotOf(rows)
	watch := watchTime(first)
	if leader := rows.LeaderOf(); leader != "" {
		a.logf("worker %s holds the leader lock: watching for %v whether it renews it", leader, watch)
	} else if watch > 0 {
		a.logf("nobody holds the leader lock: watching for %v whether leases are renewed", watch)
	}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	alive, began, logged := map[string]bool{}, time.Now(), time.Now()
	for time.Since(began) < watch {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
		}
		if rows, err = a.rows(ctx); err != nil {
			return nil, err
		}
		now := snapshotOf(rows)
		if leader := rows.LeaderOf(); leader != "" && kcl.Text(rows.Leader, kcl.LockVersion) != kcl.Text(first.Leader, kcl.LockVersion) {
			return nil, fmt.Errorf("%w: worker %s is the leader and renewed the lock just now; nothing was changed: the leader reassigns the leases of dead workers itself", ErrRunning, leader)
		}
		maps.Copy(alive, activity.ActiveWorkers(first, now))
		if time.Since(logged) >= 10*time.Second {
			logged = time.Now()
			working := strings.Join(slices.Sorted(maps.Keys(alive)), ", ")
			if working == "" {
				working = "none"
			}
			a.logf("watched %.0f of %.0f s; workers running: %s", time.Since(began).Seconds(), watch.Seconds(), working)
		}
	}
	u := &Unlock{app: a}
	if rows.LeaderOf() != "" {
		u.leader = rows.Leader
	}
	for _, lease := range rows.Leases {
		if owners := deadOwners(lease, alive); len(owners) > 0 {
			u.leases = append(u.leases, heldLease{lease, owners})
		}
	}
	return u, nil
}

// deadOwners returns the attributes of a lease that have dead owners. A lease that is being
// handed over has two owners. While the old one is alive, it returns none.
func deadOwners(lease kcl.Item, alive map[string]bool) (attributes []string) {
	from := kcl.Text(lease, kcl.CheckpointOwner)
	if alive[from] {
		return nil
	}
	if from != "" {
		attributes = append(attributes, kcl.CheckpointOwner)
	}
	if to := kcl.Text(lease, kcl.LeaseOwner); to != "" && !alive[to] {
		attributes = append(attributes, kcl.LeaseOwner)
	}
	return attributes
}

// Items returns what would be released.
func (u *Unlock) Items() (what []string) {
	for _, f := range u.leases {
		what = append(what, f.String())
	}
	if u.leader != nil {
		what = append(what, "the leader lock of worker "+kcl.Text(u.leader, kcl.LockOwner))
	}
	return what
}

func (f heldLease) String() string {
	var owners []string
	for _, attribute := range f.owners {
		owners = append(owners, kcl.Text(f.lease, attribute))
	}
	return fmt.Sprintf("lease %s of worker %s", kcl.KeyOf(f.lease), strings.Join(owners, " and "))
}

// Apply removes the owners of the leases, as KCL does to evict a lease, and deletes the
// leader lock, as its owner does when it stops. It changes only what has not changed
// since, and calls done with each item.
func (u *Unlock) Apply(ctx context.Context, done func(what string)) error {
	table := u.app.tables().Leases.Name
	for _, f := range u.leases {
		condition, names, values := unchanged(f.lease)
		update := "REMOVE "
		for i, attribute := range f.owners {
			alias := fmt.Sprintf("#r%d", i)
			names[alias] = attribute
			if i > 0 {
				update += ", "
			}
			update += alias
		}
		values[":one"] = &ddb.AttributeValueMemberN{Value: "1"}
		update += " ADD #a0 :one" // the counter
		_, err := u.app.DynamoDB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &table, Key: kcl.Item{kcl.LeaseKey: f.lease[kcl.LeaseKey]}, UpdateExpression: &update,
			ConditionExpression: &condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		})
		switch changed := (*ddb.ConditionalCheckFailedException)(nil); {
		case errors.As(err, &changed):
			u.app.logf("%s has just changed: not released", f)
		case err != nil:
			return u.app.dynamoDBError("free "+f.String()+" (run again for the rest)", err)
		default:
			done(f.String())
		}
	}
	if u.leader == nil {
		return nil
	}
	t := u.app.tables().TableOf(u.leader)
	_, err := u.app.DynamoDB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &t.Name, Key: kcl.Item{t.Key: u.leader[t.Key]},
		// If it is deleted already, this call did it, and its answer was lost.
		ConditionExpression:      aws.String("attribute_not_exists(#owner) OR #owner = :owner AND #version = :version"),
		ExpressionAttributeNames: map[string]string{"#owner": kcl.LockOwner, "#version": kcl.LockVersion},
		ExpressionAttributeValues: kcl.Item{
			":owner": u.leader[kcl.LockOwner], ":version": u.leader[kcl.LockVersion],
		},
	})
	if changed := (*ddb.ConditionalCheckFailedException)(nil); errors.As(err, &changed) {
		return fmt.Errorf("%w: the leader lock was taken or renewed just now", ErrRunning)
	}
	if err != nil {
		return u.app.dynamoDBError("delete the leader lock", err)
	}
	done("the leader lock of worker " + kcl.Text(u.leader, kcl.LockOwner))
	return nil
}
