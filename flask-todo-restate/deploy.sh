#!/bin/sh
# Switches to a new version of the code while calls are in flight:   ./deploy.sh 2   (any name that was not used before)
# The new service endpoint runs beside the old one until the old one has finished the calls that it started.
# After an error, run it again.
set -eu
cd "$(dirname "$0")"
new=${1:?"which version? ./deploy.sh 2"}

old=
for container in $(docker compose ps --quiet restate_app); do
  image=$(docker inspect --format '{{.Config.Image}}' "$container")
  [ "${image##*:}" = "$new" ] || old="$old $container"
done
if [ -z "$old" ]; then
  echo "There is nothing to replace: no version other than $new is running. (docker compose up --wait starts one.)" >&2
  exit 1
fi

export VERSION="$new"
docker compose build web
# Migrate before the new code starts. So the old code must also work with the new schema.
docker compose run --rm --no-deps migrate
docker compose up --detach --wait --no-deps --no-recreate --scale restate_app=2 restate_app
docker compose run --rm --no-deps register python -m flask_restate deploy
# shellcheck disable=SC2086 # container ids
{ docker stop $old; docker rm $old; } >/dev/null
# From now on, "docker compose up" starts this version.
{ grep -v '^VERSION=' .env 2>/dev/null || true; echo "VERSION=$new"; } >.env.new
mv .env.new .env
# One web after the other: of a cluster's, one is always there.
for web in $(docker compose config --services | grep '^web'); do
  docker compose up --detach --wait --no-deps "$web"
done
docker compose up --detach --wait
