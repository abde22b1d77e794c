import { type DescEnum, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { type ApiPlaces, type DescType, nameOf } from './api-places.ts';
import { code, page, prose, table } from './markdown.ts';
import type { Contracts } from './proto-contracts.ts';

/** Renders comments and types of the contracts, with links to what they name. */
export class ApiTypes {
  readonly #contracts: Contracts;
  readonly #places: ApiPlaces;
  readonly #settings: ReadonlySet<string>;

  /** @param settings names of the settings that comments may mention. */
  constructor(contracts: Contracts, places: ApiPlaces, settings: ReadonlySet<string>) {
    this.#contracts = contracts;
    this.#places = places;
    this.#settings = settings;
  }

  /** What the comment before something says, a Markdown paragraph each; none where it has none. */
  comment(described: { readonly proto: object }, scope: string): readonly string[] {
    return this.#contracts
      .commentOf(described)
      .map((paragraph) => prose(paragraph, (piece) => this.#withLinks(piece, scope)))
      .map((paragraph) => paragraph.replace(/^(Errors(?: of all)?:)/, '**$1**'));
  }

  /** The first sentence of {@link comment}. */
  summary(described: { readonly proto: object }, scope: string): string {
    const [first = ''] = this.comment(described, scope);
    return /^.*?[.:](?= [A-Z]|$)/.exec(first)?.[0].replace(/:$/, '.') ?? first;
  }

  /** A section about a message or an enum. */
  section(type: DescType): string {
    const scope = type.file.proto.package;
    const facts = type.kind === 'enum' ? [this.#values(type, scope)] : this.#fields(type, scope);
    return page([
      `### ${nameOf(type)}`,
      code(type.typeName),
      ...this.comment(type, scope),
      ...facts,
    ]).trimEnd();
  }

  /** A type's name, as a link to where it is described. */
  link(type: DescType): string {
    return `[${nameOf(type)}](${this.#places.linkTo(type)})`;
  }

  #values(type: DescEnum, scope: string): string {
    return table(
      ['value', 'number', 'meaning'],
      type.values.map((value) => [
        code(value.name),
        String(value.number),
        this.comment(value, scope).join(' '),
      ]),
    );
  }

  #fields(message: DescMessage, scope: string): readonly string[] {
    if (message.fields.length === 0) return ['It has no fields.'];
    const choices = message.oneofs.map((oneof) => {
      const names = oneof.fields.map(({ name }) => code(name)).join(', ');
      return `At most one of ${names} (${code(oneof.name)}): ${this.comment(oneof, scope).join(' ')}`;
    });
    const rows = message.fields.map((field) => [
      code(field.name),
      this.#typeOf(field),
      String(field.number),
      this.comment(field, scope).join(' '),
    ]);
    return [...choices, table(['field', 'type', 'number', 'meaning'], rows)];
  }

  #typeOf(field: DescField): string {
    switch (field.fieldKind) {
      case 'list':
        return `repeated ${this.#single(field)}`;
      case 'map':
        return `map of ${scalar(field.mapKey)} to ${this.#single(field)}`;
      default:
        return field.proto.proto3Optional ? `optional ${this.#single(field)}` : this.#single(field);
    }
  }

  #single(field: DescField): string {
    const type = field.message ?? field.enum;
    if (type !== undefined) return this.link(type);
    if (field.scalar === undefined) throw new Error(`${field} has no type`);
    return scalar(field.scalar);
  }

  /** Names of RPCs and messages (those that no other word is spelled like), and of settings, become links. */
  #withLinks(piece: string, scope: string): string {
    return piece
      .replaceAll(/\b[A-Z][A-Za-z]*[a-z][A-Z][A-Za-z]*(?:\.[A-Z][A-Za-z]+)*\b/g, (name) => {
        const link = this.#places.linkToName(scope, name);
        return link === undefined ? name : `[${name}](${link})`;
      })
      .replaceAll(/\b[A-Z][A-Z\d]*(?:_[A-Z\d]+)+\b/g, (name) =>
        this.#settings.has(name) ? `[${name}](../configuration.md#${name.toLowerCase()})` : name,
      )
      .replaceAll(/\bdocs\/([\w-]+\.md)/g, '[$&](../$1)');
  }
}

function scalar(type: ScalarType): string {
  return code((ScalarType[type] as string).toLowerCase());
}
