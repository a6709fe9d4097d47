// Does: finds the version of a launch template that a call means and lays the call's own parameters over its data.
// Gaps: a list or structure of the call replaces the template's, but for tags, which are laid over by resource type.
// Source: EC2 API Reference LaunchTemplateSpecification ("$Latest", "$Default"); EC2 User Guide "Launch instances from a launch
// template"; texts of InvalidLaunchTemplate* as quoted in public issue threads.
import type { World } from '../../cloud.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams } from '../../wire/call.ts';
import { object, objects, text } from './params.ts';
import { ec2Tables } from './rows.ts';
import type { LaunchTemplateRow } from './market-rows.ts';

export function findTemplate(world: World, region: string, by: { id?: string; name?: string }): LaunchTemplateRow {
  const { id, name } = by;
  if (id !== undefined && name !== undefined) throw new AwsFault('InvalidParameterCombination', 'Specify either the launch template ID or the launch template name, but not both.');
  if (id === undefined && name === undefined) throw new AwsFault('MissingParameter', 'Either LaunchTemplateId or LaunchTemplateName must be specified.');
  if (id !== undefined && !/^lt-[0-9a-f]{17}$/.test(id)) throw new AwsFault('InvalidLaunchTemplateId.Malformed', `Invalid launch template ID: '${id}'`);
  const here = ec2Tables(world).templates.values().filter((row) => row.region === region);
  const found = here.find((row) => (id === undefined ? row.name === name : row.templateId === id));
  if (found) return found;
  if (id !== undefined) throw new AwsFault('InvalidLaunchTemplateId.NotFound', `The specified launch template, with template ID ${id}, does not exist.`);
  throw new AwsFault('InvalidLaunchTemplateName.NotFoundException', `The specified launch template, with template name ${name}, does not exist.`);
}

/** `version`: a number, $Latest, $Default; undefined: the default version. */
export function templateVersion(row: LaunchTemplateRow, version: string | undefined): LaunchTemplateRow['versions'][number] {
  const wanted = version === undefined || version === '$Default' ? row.defaultVersion : version === '$Latest' ? row.versions.at(-1)?.number : Number(version);
  const found = row.versions.find(({ number }) => number === wanted);
  if (!found) throw new AwsFault('InvalidLaunchTemplateId.VersionNotFound', `Could not find the specified version ${version ?? ''} for the launch template with ID ${row.templateId}.`);
  return found;
}

/** Parameters of RunInstances with what its launch template adds. */
export function withTemplate(world: World, region: string, params: QueryParams): QueryParams {
  const given = object(params, 'LaunchTemplate');
  if (!given) return params;
  const row = findTemplate(world, region, { id: text(given, 'LaunchTemplateId'), name: text(given, 'LaunchTemplateName') });
  const { LaunchTemplate: _template, ...own } = params;
  return overTemplate(templateVersion(row, text(given, 'Version')).data, own);
}

export function overTemplate(data: QueryParams, own: QueryParams): QueryParams {
  const tags = new Map([...objects(data, 'TagSpecification'), ...objects(own, 'TagSpecification')].map((specification) => [text(specification, 'ResourceType'), specification]));
  return { ...data, ...own, ...(tags.size > 0 ? { TagSpecification: [...tags.values()] } : {}) };
}
